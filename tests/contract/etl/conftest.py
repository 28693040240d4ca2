"""The same desk as in the unit tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "etl"))

from etl_desk import Desk  # found through the line above


@pytest.fixture
def desk() -> Desk:
    """The API with everything behind it, in memory."""
    return Desk()
