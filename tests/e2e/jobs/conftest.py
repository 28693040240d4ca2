"""What the tests of the Jobs API's promises share."""

from collections.abc import Iterator

import pytest
from tests.local_cloud.jobs import JobsClient
from tests.local_cloud.work import Work


@pytest.fixture
def api(url: str) -> Iterator[JobsClient]:
    """A client of the Jobs API with the local cloud's key."""
    with JobsClient(url) as api:
        yield api


@pytest.fixture
def target() -> Iterator[Work]:
    """A user's endpoint."""
    with Work() as work:
        yield work
