"""What the local cloud says at the terminal."""

from pathlib import Path

from quintet_cli.cloud.launcher import LocalCloud
from quintet_cli.settings import Settings


def test_calls_that_stopping_cuts_off_are_not_reported(tmp_path: Path) -> None:
    """A function's fault is said while the cloud serves, and no longer once it is asked to stop."""
    said: list[str] = []
    cloud = LocalCloud(Settings(root=tmp_path, home=tmp_path / "home"), said.append)
    cloud.report("GET /api/x: KeyError: 'x'")
    cloud.stop()
    cloud.report("GET /api/x: cut off")
    assert said == ["GET /api/x: KeyError: 'x'"]
