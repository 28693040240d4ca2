"""The data folder: where it is, whether it is ours, and that one server at a time uses it."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path

from quintet_cli.errors import HomeError

_FORMAT = 1
_MARKER = "quintet.json"


class Home:
    """The local cloud's folder on disk, held by an exclusive lock while open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "control-plane.json"
        self.log = path / "log"
        self.objects = path / "s3"
        self.state = path / "state"
        self.temporary = path / "tmp"
        self._endpoint = path / "endpoint"
        self._lock: int | None = None

    def open(self) -> None:
        """Create the folder, take its lock, and clear what a killed server left; raise HomeError when unusable."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._check_marker()
            shutil.rmtree(self.temporary, ignore_errors=True)
            for folder in (self.log, self.objects, self.state, self.temporary):
                folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.temporary):
                pass
        except OSError as error:
            self.close()
            reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror or error
            raise HomeError(f"The data folder {self.path} cannot be written: {reason}.") from error
        except HomeError:
            self.close()
            raise

    def publish(self, endpoint: str) -> None:
        """Tell other commands, and any AWS tool, where this server's AWS endpoint is."""
        self._endpoint.write_text(endpoint + "\n")

    def close(self) -> None:
        """Remove what was only for this run and let go of the lock."""
        if self._lock is None:
            return
        self._endpoint.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)
        os.close(self._lock)
        self._lock = None

    def _take_lock(self) -> None:
        strangers = [entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")]
        if strangers and _MARKER not in strangers:
            raise HomeError(f"{self.path} is neither empty nor a Quintet data folder; set QUINTET_HOME to one that is.")
        self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            os.close(self._lock)
            self._lock = None
            who = f" (process {holder})" if holder.isdecimal() else ""
            raise HomeError(f"Another Quintet server{who} already uses the data folder {self.path}.") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def _check_marker(self) -> None:
        marker = self.path / _MARKER
        if not marker.exists():
            marker.write_text(json.dumps({"format": _FORMAT}) + "\n")
            return
        found: object = None
        with contextlib.suppress(ValueError, AttributeError):
            found = json.loads(marker.read_text()).get("format")
        if found is None:
            raise HomeError(f"The data folder {self.path} is damaged: {_MARKER} cannot be read.")
        if found != _FORMAT:
            raise HomeError(
                f"The data folder {self.path} has format {found}, and this version of Quintet reads format {_FORMAT}."
            )
