"""What the tests of the engine share."""

from typing import Any

import pytest
from tests.local_cloud.client import Client, step


@pytest.fixture(scope="session", autouse=True)
def every_minute(url: str) -> Any:
    """An automation that is to run every minute, defined when the session begins: its minute passes while other tests run."""
    with Client(url) as client:
        schedule = {"schedule": {"cron": "* * * * *"}, "input": {"from": "schedule"}}
        echo = step("echo", config={"values": {"got": "{% input.from %}"}})
        return client.define(echo, config=schedule, triggerType="schedule", name="every minute")
