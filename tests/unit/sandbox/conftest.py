"""The runner, run in this process: the code's own process is a real one."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "functions" / "runner"))

from quintet_runner.processes import children  # found through the line above
from quintet_runner.sandbox import run  # as above

Python = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves a process or a folder behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = children()
    yield
    assert children() == before
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def python() -> Python:
    """Runs python code with an input."""

    def call(code: str, given: Any = None, **more: Any) -> dict[str, Any]:
        return run({"kind": "python", "code": code, "input": given or {}, "timeout": 10, **more})

    return call


@pytest.fixture
def shell() -> Python:
    """Runs script lines."""

    def call(*script: str, **more: Any) -> dict[str, Any]:
        return run({"kind": "shell", "script": list(script), "timeout": 10, **more})

    return call
