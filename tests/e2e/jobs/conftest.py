"""What the tests of the Jobs API's promises share."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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


@pytest.fixture(scope="session", autouse=True)
def by_the_minute(url: str) -> Iterator[tuple[str, str, datetime, Work]]:
    """A cron job of every minute, a run whose window opens within two minutes' time, when they were made, and their endpoint: made
    when the session begins, so that their minutes pass while other tests run."""
    with JobsClient(url) as api, Work() as work:
        cron = api.job(f"{work.url}/cron", cron="* * * * *")
        made = datetime.now(UTC)
        opens = (made + timedelta(seconds=65 if made.second > 50 else 60)).minute
        windowed = api.job(f"{work.url}/window", execution_window_cron=f"{opens} * * * *")
        yield cron, api.trigger(windowed)["id"], made, work
