"""The data folder is ours, whole, and used by one server at a time."""

from pathlib import Path

import pytest

from quintet_cli.cloud.home import Home
from quintet_cli.errors import HomeError


def test_a_new_home_is_made_with_its_folders(tmp_path: Path) -> None:
    """Opening makes the folder; closing removes what was temporary and keeps the rest."""
    home = Home(tmp_path / "new" / "home")
    home.open()
    (home.temporary / "left").write_text("x")
    (home.log / "kept").write_text("x")
    home.close()
    assert not home.temporary.exists()
    assert (home.log / "kept").exists()


def test_what_a_killed_server_left_is_cleared(tmp_path: Path) -> None:
    """Temporary files of a server that could not clean up are gone after the next start."""
    home = Home(tmp_path / "home")
    home.open()
    home.close()
    home.temporary.mkdir()
    (home.temporary / "left").write_text("x")
    home.open()
    assert list(home.temporary.iterdir()) == []
    home.close()


def test_a_second_server_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    """Two servers never share a folder; the first one's process is named."""
    first, second = Home(tmp_path), Home(tmp_path)
    first.open()
    with pytest.raises(HomeError, match=r"Another Quintet server \(process \d+\) already uses the data folder"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_refused_second_server_leaves_the_first_ones_files_alone(tmp_path: Path) -> None:
    """The one that is refused clears nothing away."""
    first = Home(tmp_path)
    first.open()
    (first.temporary / "mine").write_text("x")
    with pytest.raises(HomeError):
        Home(tmp_path).open()
    assert (first.temporary / "mine").exists()
    first.close()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    """Somebody's own folder is never taken for a data folder."""
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(HomeError, match="neither empty nor a Quintet data folder"):
        Home(tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("marker", "said"),
    [("{", "is damaged: quintet.json"), ("[]", "is damaged: quintet.json"), ('{"format": 99}', "has format 99")],
)
def test_a_home_that_cannot_be_understood_is_refused(tmp_path: Path, marker: str, said: str) -> None:
    """A broken marker and one of another version are told apart."""
    (tmp_path / "quintet.json").write_text(marker)
    with pytest.raises(HomeError, match=said):
        Home(tmp_path).open()


def test_a_home_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """A path below a file cannot be a folder, and the sentence names the path."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(HomeError, match=r"The data folder .*file/home cannot be written: .+\."):
        Home(tmp_path / "file" / "home").open()
    with pytest.raises(HomeError, match=r"The data folder .*file cannot be written: it is a file\."):
        Home(tmp_path / "file").open()
