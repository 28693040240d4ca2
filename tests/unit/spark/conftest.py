"""The desk of these tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from spark_desk import Desk  # found through the line above


@pytest.fixture
def desk() -> Desk:
    """The kinds of Spark jobs over fake tools."""
    return Desk()
