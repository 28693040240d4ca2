"""Deployment packages on disk: each zip is unpacked once, under its hash, and shared by all workers that run it.

MiniStack unpacks the code and every layer again for each worker process, into a folder of its own in `/tmp`: a cold
start pays for it, Python compiles it again, and a killed launcher leaves it behind.
"""

import atexit
import hashlib
import io
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path

_lock = threading.Lock()
_root: Path | None = None
_digests: dict[int, tuple[bytes, str]] = {}


def folder() -> Path:
    """The folder of unpacked packages: `QUINTET_WORKER_DIR`, or a temporary one that is removed at exit."""
    global _root  # noqa: PLW0603 - one folder a process, made when the first function is called
    if _root is None:
        named = os.environ.get("QUINTET_WORKER_DIR")
        if named:
            _root = Path(named)
            _root.mkdir(parents=True, exist_ok=True)
        else:
            _root = Path(tempfile.mkdtemp(prefix="quintet-workers-"))
        atexit.register(remove)
    return _root


def remove() -> None:
    """Delete the folder and all that is unpacked in it."""
    global _root
    with _lock:
        found, _root = _root, None
    if found is not None:
        shutil.rmtree(found, ignore_errors=True)


def unpacked(package: bytes) -> Path:
    """The folder that holds this zip's files.

    Raises:
        RuntimeError: the zip is broken or an entry points outside of it.
    """
    with _lock:
        target = folder() / _digest(package)
        if target.is_dir():
            return target
        fresh = Path(tempfile.mkdtemp(prefix="unpack-", dir=folder()))
        try:
            with zipfile.ZipFile(io.BytesIO(package)) as archive:
                archive.extractall(fresh)
                _keep_modes(archive, fresh)
        except (OSError, zipfile.BadZipFile) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise RuntimeError(f"the deployment package can't be unpacked: {error}") from error
        fresh.rename(target)
        return target


def _keep_modes(archive: zipfile.ZipFile, target: Path) -> None:
    for entry in archive.infolist():
        mode = entry.external_attr >> 16
        path = target / entry.filename
        if mode & 0o111 and path.is_file():
            path.chmod(mode & 0o777)


def _digest(package: bytes) -> str:
    # A layer of 50 MB would take 100 ms to hash at every cold start: its bytes object is remembered by identity, and
    # held here so that the identity stays its own.
    known = _digests.get(id(package))
    if known is None:
        known = (package, hashlib.sha256(package).hexdigest()[:32])
        if len(_digests) > 64:
            _digests.clear()
        _digests[id(package)] = known
    return known[1]
