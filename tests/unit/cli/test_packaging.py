"""Archives that load code from the checkout, and the digests that say what has changed."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from quintet_cli.cloud import packaging


def _checkout(root: Path) -> Path:
    for name, text in {
        "template.yaml": "a",
        "statemachines/m.asl.json": "{}",
        "functions/f/handler.py": "x = 1",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_functions_archive_runs_the_module_of_the_checkout(tmp_path: Path) -> None:
    """Importing the archive's module gives the checkout's, as it is then."""
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "in_layer_for_test.py").write_text("WORD = 'layer'")
    (tmp_path / "entry_for_test.py").write_text(
        "from in_layer_for_test import WORD\ndef handler(e, c): return [e, WORD]"
    )
    archive = zipfile.ZipFile(io.BytesIO(packaging.function_archive(tmp_path, "entry_for_test.handler", [layer])))
    unpacked = tmp_path / "unpacked"
    archive.extractall(unpacked)
    assert archive.namelist() == ["entry_for_test.py"]
    program = "import importlib; print(importlib.import_module('entry_for_test').handler(1, None))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=unpacked, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[1, 'layer']"


def test_archives_depend_on_their_content_alone(tmp_path: Path) -> None:
    """The same function makes the same bytes at any time, so that nothing is deployed twice."""
    assert packaging.function_archive(tmp_path, "h.h", []) == packaging.function_archive(tmp_path, "h.h", [])
    assert packaging.function_archive(tmp_path, "h.h", []) != packaging.function_archive(tmp_path / "b", "h.h", [])


def test_the_shape_changes_with_template_and_machines_only(tmp_path: Path) -> None:
    """Code is not part of what needs a deployment; the template, the machines and the parameters are."""
    root = _checkout(tmp_path)
    first = packaging.shape_digest(root, {"Stage": "local"})
    (root / "functions/f/handler.py").write_text("x = 2")
    assert packaging.shape_digest(root, {"Stage": "local"}) == first
    assert packaging.shape_digest(root, {"Stage": "other"}) != first
    (root / "statemachines/m.asl.json").write_text("{ }")
    second = packaging.shape_digest(root, {"Stage": "local"})
    (root / "template.yaml").write_text("b")
    assert len({first, second, packaging.shape_digest(root, {"Stage": "local"})}) == 3


def test_compiled_files_do_not_count(tmp_path: Path) -> None:
    """What Python writes beside the sources changes no digest."""
    root = _checkout(tmp_path)
    before = packaging.code_digest(root / "functions")
    (root / "functions/f/__pycache__").mkdir()
    (root / "functions/f/__pycache__/handler.cpython-311.pyc").write_bytes(b"x")
    assert packaging.code_digest(root / "functions") == before
