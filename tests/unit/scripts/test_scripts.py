"""Templates in script lines: what they say, and that values stay data in a real shell."""

import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.domain.script import Template, TemplateFault

DATA = {"name": "a b", "list": ["x y", "z"], "n": 3, "yes": True, "no": False, "deep": {"er": "v"}, "none": None}


def shell(script: str) -> str:
    """What a POSIX shell prints."""
    done = subprocess.run(["/bin/sh", "-e", "-c", script], check=False, capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, (script, done.stderr)
    return done.stdout


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("echo hello", "hello\n"),
        ("printf '<%s>' {{ .name }}", "<a b>"),
        ('printf "<%s>" "{{ .name }}!"', "<a b!>"),
        ("printf '<%s>' '{{ .name }}'", "<a b>"),
        ('printf "<%s>" {{ .list | join " " }}', "<x y><z>"),
        ('printf "<%s>" "{{ .list | join ", " }}"', "<x y, z>"),
        ('printf "<%s>" {{ .list }}', "<x y><z>"),
        ("printf '<%s>' {{ .deep.er }}{{ .n }}", "<v3>"),
        ("{{ if .yes }}echo yes{{ else }}echo no{{ end }}", "yes\n"),
        ("{{ if .no }}echo a{{ else if eq .n 3 }}echo b{{ else }}echo c{{ end }}", "b\n"),
        ("{{ range .list }}printf '<%s>' {{ . }};{{ end }}", "<x y><z>"),
        ("echo {{ index .list 1 }} {{ len .list }} {{ .list | first }}", "z 2 x y\n"),
        ('echo {{ .none | default "d" }} {{ .name | upper }}', "d A B\n"),
        ("echo a {{- /* nothing */ -}} b", "ab\n"),
        ("printf '%s' \"$(printf '<%s>' {{ .name }})\"", "<a b>"),
        ("cat <<END\n{{ .name }} $((1+1))\nEND", "a b 2\n"),
        ("echo {{ .name | raw }} # {{ .name }}", "a b\n"),
    ],
)
def test_a_template_says_what_it_says(template: str, expected: str) -> None:
    """Expressions, pipelines, blocks, in every kind of quoting."""
    assert shell(Template(template).render(DATA)) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ .missing }}",
        "{{ .deep.missing }}",
        "{{ index .list 7 }}",
        "echo `echo {{ .name }}`",
        "echo \\{{ .name }}",
        "echo '{{ .name }}",
    ],
)
def test_what_can_not_be_filled_in_is_said(template: str) -> None:
    """Missing keys and places without a safe way to write data."""
    with pytest.raises(TemplateFault):
        Template(template).render(DATA)


@pytest.mark.parametrize(
    "template",
    ["{{ }}", "{{ .a", "{{ end }}", "{{ if .a }}x", "{{ what .a }}", "{{ .a | }}", "{{ name }}"],
)
def test_what_is_no_template_is_said(template: str) -> None:
    """When it is read, before any run."""
    with pytest.raises(TemplateFault):
        Template(template)


NASTY = st.text(st.sampled_from("ab $`\"'\\\n;&|<>(){}*?#!~=%\t-\u00e9"), max_size=12)


@settings(max_examples=120, deadline=None)
@given(NASTY, st.lists(NASTY, max_size=3))
def test_values_stay_data_in_a_real_shell(value: str, members: list[str]) -> None:
    """Whatever they hold, unquoted, in quotes, in a substitution, in a here-document and joined: the shell reads them as themselves."""
    lines: list[tuple[str, str]] = [
        ("printf '%s' {{ .v }}", value),
        ("printf '%s' \"{{ .v }}\"", value),
        ("printf '%s' '{{ .v }}'", value),
        ("printf '%s' \"[$(printf '%s' {{ .v }}; echo .)]\"", f"[{value}.]"),
        ("cat <<END\n<{{ .v }}>\nEND", f"<{value}>\n"),
        ("cat <<'END'\n<{{ .v }}>\nEND", f"<{value}>\n"),
        ('printf "<%s>" "" {{ .m | join " " }}', "<>" + "".join(f"<{one}>" for one in members)),
    ]
    data: dict[str, Any] = {"v": value, "m": members}
    for template, expected in lines:
        assert shell(Template(template).render(data)) == expected, template
