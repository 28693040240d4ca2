"""The other commands, as typed in a terminal."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def _type(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QUINTET_")}
    return subprocess.run(
        [sys.executable, "-m", "quintet_cli", *words],
        check=False,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_status_says_whether_and_where_quintet_answers(cloud: Any) -> None:
    """Exit code 0 with a server, 1 without."""
    found = _type("status", QUINTET_PORT=str(cloud.port))
    assert (found.returncode, found.stdout.startswith(f"Quintet is ready at {cloud.url};")) == (0, True)
    found = _type("status", QUINTET_PORT="1")
    assert (found.returncode, "does not answer" in found.stdout) == (1, True)


def test_demo_uses_the_server_that_runs(cloud: Any, deployed: tuple[Path, Path]) -> None:
    """The example runs on it, and it goes on running."""
    found = _type("demo", "--root", str(deployed[0]), QUINTET_PORT=str(cloud.port))
    assert (found.returncode, found.stderr) == (0, "")
    assert "Example: completed in 0.50 s" in found.stdout
    assert cloud.json("/health/ready") == {"status": "ready"}


def test_demo_starts_a_server_when_none_answers_and_ends_it(relaunch: Any, deployed: tuple[Path, Path]) -> None:
    """The server lives as long as the example; it leaves no process and no temporary file."""
    stopped = relaunch().ready()
    stopped.stop()
    found = _type("demo", "--root", str(deployed[0]), QUINTET_PORT=str(stopped.port), QUINTET_HOME=str(stopped.home))
    assert (found.returncode, found.stderr) == (0, "")
    assert "Example: completed" in found.stdout
    assert _type("status", QUINTET_PORT=str(stopped.port)).returncode == 1
    assert stopped.processes() == []
    assert not (stopped.home / "tmp").exists()


def test_demo_passes_on_why_the_server_does_not_start(deployed: tuple[Path, Path], tmp_path: Path) -> None:
    """The child's one sentence is the command's."""
    (tmp_path / "file").write_text("x")
    found = _type("demo", "--root", str(deployed[0]), QUINTET_PORT="1024", QUINTET_HOME=str(tmp_path / "file" / "home"))
    assert found.returncode == 2
    assert "file/home cannot be written: Not a directory." in found.stderr
    assert found.stderr.count("\n") == 1


def test_logs_shows_what_functions_wrote(cloud: Any) -> None:
    """The line is there with its function, without Lambda's own lines around it."""
    assert cloud.api.get("/api/fault").status_code == 500
    found = _type("logs", QUINTET_HOME=str(cloud.home))
    assert found.returncode == 0, found.stderr
    assert "[ERROR] KeyError: 'no such thing'" in found.stdout
    assert "RequestId" not in found.stdout


def test_logs_without_a_server_says_so(tmp_path: Path) -> None:
    """One sentence, for a folder without a server and for one whose server was killed."""
    found = _type("logs", QUINTET_HOME=str(tmp_path))
    assert (found.returncode, found.stderr) == (2, f"quintet: No Quintet server runs on the data folder {tmp_path}.\n")
    (tmp_path / "endpoint").write_text("http://127.0.0.1:1\n")
    found = _type("logs", QUINTET_HOME=str(tmp_path))
    assert (found.returncode, found.stderr) == (2, f"quintet: The Quintet server on {tmp_path} does not answer.\n")
