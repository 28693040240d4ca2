"""The desks of these tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from etl_desk import Desk  # found through the line above
from tasks_desk import TasksDesk


@pytest.fixture
def desk() -> Desk:
    """The API with everything behind it, in memory."""
    return Desk()


@pytest.fixture
def tasks() -> TasksDesk:
    """The same with a project, a job and programs, where tasks do what the test says."""
    return TasksDesk()
