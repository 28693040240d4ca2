"""Script lines in their own process."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]


def test_lines_are_one_script(shell: Run) -> None:
    """Variables and the folder last from line to line; the given environment is all there is besides the clean one."""
    answer = shell(
        "x=5",
        "mkdir d && cd d",
        'echo "$x $A $(basename $PWD)"',
        "echo oh >&2",
        "env",
        env={"A": "b c", "PATH": "/bin"},
    )

    assert (answer["ok"], answer["exitCode"], answer["stderr"]) == (True, 0, "oh\n")
    first, *environment = answer["stdout"].splitlines()
    assert first == "5 b c d"
    names = {line.partition("=")[0] for line in environment}
    assert names <= {"A", "PATH", "HOME", "TMPDIR", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"}


def test_a_script_is_at_home_wherever_the_folder_is(shell: Run) -> None:
    """Also below a folder that only the runner's user may enter: programs find it by its whole name."""
    answer = shell("mkdir a && cd a", "echo x > $HOME/f", "cat $HOME/f", "(cd / && ls $HOME)", "pwd -P | grep -c .")

    assert (answer["exitCode"], answer["stdout"].split()) == (0, ["x", "a", "f", "1"])


@pytest.mark.parametrize(
    ("script", "code"),
    [(["exit 7"], 7), (["false", "echo no"], 1), (["false | cat", "echo no"], 1), (["nix-is-not-a-command"], 127), (["if"], 2)],
)  # fmt: skip
def test_the_first_failing_line_ends_it(shell: Run, script: list[str], code: int) -> None:
    """Its exit code is the script's, also from inside a pipe."""
    answer = shell(*script)

    assert (answer["ok"], answer["exitCode"]) == (True, code)
    assert "no\n" not in answer["stdout"]


def test_values_of_the_environment_are_not_code(shell: Run) -> None:
    """That is why data belongs there."""
    assert shell('echo "$A"', env={"A": "$(echo run); `echo run`"})["stdout"] == "$(echo run); `echo run`\n"


def test_a_script_may_clean_up_when_its_time_is_over(shell: Run) -> None:
    """It is interrupted first."""
    answer = shell("trap 'echo cleaned; exit 1' INT", "sleep 60 & wait", timeout=0.5)

    assert answer["error"]["type"] == "Timeout"
    assert answer["stdout"] == "cleaned\n"


def test_a_script_that_ignores_it_is_killed(shell: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it started."""
    monkeypatch.setattr("quintet_runner.sandbox.INTERRUPT_SECONDS", 0.2)

    answer = shell("trap '' INT TERM", "setsid sleep 60 &", "while true; do sleep 60; done", timeout=0.5)

    assert answer["error"]["type"] == "Timeout"


def test_a_crash_is_an_error(shell: Run) -> None:
    """Not an exit code."""
    answer = shell("kill -SEGV $$")

    assert answer["error"]["type"] == "Crashed"
    assert answer["error"]["signal"] == "SIGSEGV"


def test_an_impossible_environment_is_an_error(shell: Run) -> None:
    """Told as such, not as an exit code."""
    assert shell("true", env={"A=B": "x\0y"})["error"]["type"] == "NoShell"
