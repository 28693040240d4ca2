"""The next moment of a job's schedule: of a cron expression, or one single moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quintet.adapters.cron import next_moment
from quintet.domain.job import Job

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MILLI = timedelta(milliseconds=1)


def job(schedule: dict[str, Any] | None) -> Job:
    """A job with this schedule."""
    settings = {} if schedule is None else {"schedule": schedule}
    return Job("j", "acme", "etl", "job", 1, "v", NOON, NOON, settings=settings)


@pytest.mark.parametrize(
    "at", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00", "2026-03-01T17:45:00+05:45", "2026-03-01T12:00:00"]
)
def test_a_single_moment_comes_once(at: str) -> None:
    """In whatever zone it is written, in UTC where it names none; from that moment on there is none any more."""
    once = job({"at": at, "next_at": at})
    assert next_moment(once, NOON - timedelta(days=400)) == NOON
    found = next_moment(once, NOON - MILLI)
    assert found == NOON
    assert found.tzinfo is UTC
    assert next_moment(once, NOON) is None
    assert next_moment(once, NOON + MILLI) is None


def test_a_cron_schedule_goes_on() -> None:
    """In its zone."""
    daily = job({"cron": "0 9 * * *", "timezone": "Asia/Kathmandu", "next_at": None})
    first = next_moment(daily, NOON)
    assert first == datetime(2026, 3, 2, 3, 15, tzinfo=UTC)
    assert next_moment(daily, first) == first + timedelta(days=1)


@pytest.mark.parametrize("schedule", [None, {}])
def test_a_job_without_a_schedule_has_no_moment(schedule: dict[str, Any] | None) -> None:
    """Nor one whose schedule was taken away."""
    assert next_moment(job(schedule), NOON) is None
