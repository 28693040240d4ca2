"""What of the checkout the local cloud deploys, and the small archives that stand for it.

Code is not copied: a function's archive holds one module that loads the real one, and the layers, from the checkout,
where their compiled form is cached as well. So a change of code needs no deployment, only new workers.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

_STAMP = (1980, 1, 1, 0, 0, 0)
# Raised when what `deployer` makes of the same files changes.
_DEPLOYER = "1"

_LOADER = '''"""Loads this function's module from the checkout, so that an edit needs new workers and nothing else."""

import importlib.util
import sys

sys.path[:0] = {folders!r}
_spec = importlib.util.spec_from_file_location(__name__, {module!r})
_module = importlib.util.module_from_spec(_spec)
sys.modules[__name__] = _module
_spec.loader.exec_module(_module)
'''


def function_archive(folder: Path, handler: str, layers: list[Path]) -> bytes:
    """Return the archive of a function whose code stays in `folder`; `layers` are the folders it imports from."""
    module = handler.rpartition(".")[0].replace(".", "/") + ".py"
    folders = [str(folder), *(str(layer) for layer in layers)]
    return _archive({module: _LOADER.format(folders=folders, module=str(folder / module))})


def layer_archive() -> bytes:
    """Return the archive that stands for our own layer: empty, since functions import it from the checkout."""
    return _archive({"python/.local": ""})


def bytes_digest(content: bytes) -> str:
    """Return the digest that names a content."""
    return hashlib.sha256(content).hexdigest()


def code_digest(folder: Path) -> str:
    """Return a digest of every source file below a folder: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(_sources(folder)):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def shape_digest(root: Path, overrides: dict[str, str]) -> str:
    """Return a digest of all that needs a deployment when it changes: the template, the machines, the place."""
    digest = hashlib.sha256(f"{_DEPLOYER}\0{root}\0{sorted(overrides.items())}\0".encode())
    digest.update((root / "template.yaml").read_bytes())
    digest.update(code_digest(root / "statemachines").encode())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _STAMP), text)
    return buffer.getvalue()
