"""What the documents say can be done: commands exist, links lead somewhere, JSON is JSON."""

import json
import re
from pathlib import Path

import pytest

from quintet_cli.main import main
from quintet_cli.settings import DEFAULT_HOME, DEFAULT_KEY, DEFAULT_PORT

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"(?:^|`|\s)make ([a-z][a-z-]*)(?=$|`|\s)", re.MULTILINE)
SENT = re.compile(r"-d '(.*?)'(?=\s|\)|$)", re.DOTALL)
VARIABLE = re.compile(r"\bQUINTET_[A-Z_]+\b")


def without_code(text: str) -> str:
    """A document's prose."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(without_code(text))}


def broken_links(document: Path) -> list[str]:
    """Links to files or headings that are not there."""
    found = []
    for link in LINK.findall(without_code(document.read_text())):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            found.append(link)
    return found


def make_commands(text: str) -> set[str]:
    """The make targets that a document names as code."""
    code = "\n".join([*(body for _, body in FENCE.findall(text)), *re.findall(r"`[^`\n]+`", without_code(text))])
    return set(MAKE.findall(code))


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link names a file of the checkout, and every anchor a heading in it."""
    assert broken_links(ROOT / name) == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_can_be_made(name: str) -> None:
    """Every `make ...` is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert make_commands((ROOT / name).read_text()) - targets == set()


@pytest.mark.parametrize("name", NAMES)
def test_json_is_json(name: str) -> None:
    """Blocks of JSON parse, and so does what curl is told to send."""
    text = (ROOT / name).read_text()
    blocks = [body for language, body in FENCE.findall(text) if language == "json"]
    sent = [body for language, script in FENCE.findall(text) if language == "sh" for body in SENT.findall(script)]
    for body in [*blocks, *sent]:
        json.loads(body)


def test_the_first_page_names_the_commands_that_matter() -> None:
    """The README shows how to see it, check it, run it and deploy it."""
    text = (ROOT / "README.md").read_text()
    assert {"demo", "test", "run", "help"} <= make_commands(text)
    assert "sam build && sam deploy --guided" in text


def test_the_first_page_tells_the_real_defaults() -> None:
    """Port, folder and key in the README are those that the command uses."""
    text = (ROOT / "README.md").read_text()
    assert f"`QUINTET_PORT` | `{DEFAULT_PORT}`" in text
    assert f"`QUINTET_HOME` | `{DEFAULT_HOME}`" in text
    assert f"`QUINTET_API_KEY` | `{DEFAULT_KEY}`" in text
    assert set(re.findall(r"localhost:(\d+)", text)) == {str(DEFAULT_PORT)}


def test_variables_that_documents_name_are_read_somewhere() -> None:
    """No document tells of a setting that no code knows."""
    sources = [path for folder in ("cli", "layers/core", "tests") for path in (ROOT / folder).rglob("*.py")]
    known = set(VARIABLE.findall("\n".join(path.read_text() for path in [*sources, ROOT / "template.yaml"])))
    named = {word for path in DOCUMENTS for word in VARIABLE.findall(path.read_text())}
    assert named - known == set()


def test_every_folder_that_the_first_page_names_is_there() -> None:
    """The table of places names places."""
    table = (ROOT / "README.md").read_text().split("## Where things are")[1].split("##")[0]
    places: list[str] = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(places) >= 8
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_licence_is_the_one_that_the_package_names() -> None:
    """LICENSE holds the Apache License 2.0, as pyproject.toml says."""
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_command_has_what_the_documents_run() -> None:
    """`quintet run` and `quintet demo` are what make calls."""
    assert {"run", "demo"} <= set(main.commands)


def test_the_checks_see_what_they_are_for(tmp_path: Path) -> None:
    """A dead link, a missing anchor and an unknown target are found."""
    page = tmp_path / "page.md"
    page.write_text(
        "# Up here\n[a](gone.md) [b](#up-here) [c](#down) [d](https://example.com)\n```sh\nmake nothing\n```\n"
    )
    assert broken_links(page) == ["gone.md", "#down"]
    assert make_commands(page.read_text()) == {"nothing"}
