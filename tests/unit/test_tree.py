"""What must not be in any file of the project: traces of the machine it was written on, and package indexes' addresses."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = {
    # Put together from pieces, so that this file passes its own check.
    "a person's home folder": re.compile(r"(?<![\w.-])/(?:home|Users)/" + r"(?!\$|<|\{)\w+"),
    "root's home folder": re.compile(r"(?<![\w.-])/root" + r"/\S"),
    "a version manager's folder": re.compile(r"\.(?:pyenv|rbenv|nvm|asdf)" + "/"),
    "a temporary folder": re.compile(r"/tmp/" + r"(?:tmp)?[a-zA-Z0-9]"),
    "a package host": re.compile("files" + r"\.pythonhosted|registry" + r"\.npmjs|pypi" + r"\.org/simple"),
    "a package index's address": re.compile(r"(?<!emit-)index" + r"-url|find" + "-links"),
}


def committed() -> list[Path]:
    """Every file that is, or is about to be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def foreign(text: str) -> list[str]:
    """What a text holds that no file may."""
    return [name for name, pattern in FOREIGN.items() if pattern.search(text)]


def test_no_file_tells_of_the_machine_it_was_written_on() -> None:
    """No home folders, no temporary ones, no package hosts: a clone works anywhere, with whatever index is configured."""
    found = {}
    for path in committed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if kinds := foreign(text):
            found[str(path.relative_to(ROOT))] = kinds

    assert found == {}


@pytest.mark.parametrize(
    "text",
    ["see /home/" + "ada/quintet", "/Users/" + "ada", "/root" + "/x", "~/.pyenv" + "/versions", "/tmp/" + "x9/log",
     "https://files" + ".pythonhosted.org/x.whl", "--index" + "-url https://mirror", "--extra-index" + "-url x"],
)  # fmt: skip
def test_the_check_sees_what_it_is_for(text: str) -> None:
    """Each of the patterns catches an example."""
    assert foreign(text)


@pytest.mark.parametrize(
    "text", ["--no-emit-index" + "-url", "/home/" + "<you>", "$HOME/.config", "/api/v1/home" + "/x"]
)
def test_the_check_leaves_the_rest_alone(text: str) -> None:
    """What only looks like it is let pass."""
    assert not foreign(text)


def test_folders_and_modules_are_named_by_nouns() -> None:
    """No folder or module is called by a word that says nothing."""
    vague = re.compile(r"(?:^|/)(?:utils?|helpers?|common|misc)(?:\.py|/|$)")

    assert [str(path) for path in committed() if vague.search(str(path.relative_to(ROOT)))] == []
