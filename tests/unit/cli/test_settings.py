"""What the environment may say, and what is answered to nonsense."""

from pathlib import Path

import pytest

from quintet_cli import python_version
from quintet_cli.errors import CommandError
from quintet_cli.settings import DEFAULT_KEY, Settings


def test_defaults_need_no_environment(tmp_path: Path) -> None:
    """With nothing set, the port, the key and the data folder are the documented ones."""
    settings = Settings.from_environment({}, root=tmp_path)
    assert (settings.port, settings.api_key, settings.home) == (8020, DEFAULT_KEY, tmp_path / ".quintet")
    assert settings.url == "http://127.0.0.1:8020"


def test_the_environment_changes_each_setting(tmp_path: Path) -> None:
    """Every setting has its variable."""
    env = {"QUINTET_PORT": "9000", "QUINTET_HOME": str(tmp_path / "x"), "QUINTET_API_KEY": "k", "QUINTET_WORKERS": "5"}
    settings = Settings.from_environment({**env, "QUINTET_SPARK_JOBS": "3"}, root=tmp_path)
    assert (settings.port, settings.home, settings.api_key, settings.workers) == (9000, tmp_path / "x", "k", 5)
    assert settings.spark_jobs == 3


def test_a_relative_home_is_below_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QUINTET_HOME=data means the data folder of where the command was typed."""
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"QUINTET_HOME": "data"}, root=tmp_path / "checkout").home == tmp_path / "data"


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_in_one_sentence(port: str) -> None:
    """A wrong QUINTET_PORT is named, with what it must be."""
    with pytest.raises(CommandError, match=r"^QUINTET_PORT must be a whole number from 1 to 65535, and it is '.*'\.$"):
        Settings.from_environment({"QUINTET_PORT": port})


def test_a_key_with_a_colon_is_refused() -> None:
    """What is before a colon is an organisation's name in X-API-Key, so that such a key would never be found."""
    with pytest.raises(CommandError, match=r"^QUINTET_API_KEY must not have a colon in it\.$"):
        Settings.from_environment({"QUINTET_API_KEY": "org:key"})


@pytest.mark.parametrize(("version", "refused"), [((3, 10), True), ((2, 7), True), ((3, 11), False), ((3, 14), False)])
def test_an_old_python_is_refused(version: tuple[int, int], refused: bool) -> None:
    """Only Python 3.11 and newer runs Quintet, and the sentence says which one this is."""
    said = python_version.fault(version)
    assert bool(said) is refused
    assert not refused or said == f"Quintet needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]}."
