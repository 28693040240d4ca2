"""The stage of these tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_stage import Stage  # found through the line above


@pytest.fixture
def engine() -> Stage:
    """The engine in memory and in virtual time."""
    return Stage()
