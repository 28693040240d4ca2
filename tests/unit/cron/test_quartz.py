"""Quartz schedules: what Quartz's own examples say, in time zones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.adapters.quartz import after, fault

START = datetime(2026, 1, 1, tzinfo=UTC)


def coming(expression: str, many: int = 3, since: datetime = START, zone: str = "UTC") -> list[str]:
    """The next moments, as ISO texts without the offset."""
    found = []
    for _ in range(many):
        moment = after(expression, zone, since)
        if moment is None:
            break
        found.append(moment.strftime("%Y-%m-%d %H:%M:%S"))
        since = moment
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/20 * * * * ?", ["2026-01-01 00:00:20", "2026-01-01 00:00:40", "2026-01-01 00:01:00"]),
        ("0 15 10 ? * *", ["2026-01-01 10:15:00", "2026-01-02 10:15:00", "2026-01-03 10:15:00"]),
        ("0 15 10 * * ? 2027", ["2027-01-01 10:15:00", "2027-01-02 10:15:00", "2027-01-03 10:15:00"]),
        ("0 10,44 14 ? 3 WED", ["2026-03-04 14:10:00", "2026-03-04 14:44:00", "2026-03-11 14:10:00"]),
        ("0 15 10 ? * MON-FRI", ["2026-01-01 10:15:00", "2026-01-02 10:15:00", "2026-01-05 10:15:00"]),
        ("0 15 10 ? * 2-6", ["2026-01-01 10:15:00", "2026-01-02 10:15:00", "2026-01-05 10:15:00"]),
        ("0 15 10 15 * ?", ["2026-01-15 10:15:00", "2026-02-15 10:15:00", "2026-03-15 10:15:00"]),
        ("0 15 10 L * ?", ["2026-01-31 10:15:00", "2026-02-28 10:15:00", "2026-03-31 10:15:00"]),
        ("0 15 10 LW * ?", ["2026-01-30 10:15:00", "2026-02-27 10:15:00", "2026-03-31 10:15:00"]),
        ("0 15 10 15W * ?", ["2026-01-15 10:15:00", "2026-02-16 10:15:00", "2026-03-16 10:15:00"]),
        ("0 15 10 1W * ?", ["2026-01-01 10:15:00", "2026-02-02 10:15:00", "2026-03-02 10:15:00"]),
        ("0 15 10 31W * ?", ["2026-01-30 10:15:00", "2026-03-31 10:15:00", "2026-05-29 10:15:00"]),
        ("0 15 10 ? * 6L", ["2026-01-30 10:15:00", "2026-02-27 10:15:00", "2026-03-27 10:15:00"]),
        ("0 15 10 ? * 6#3", ["2026-01-16 10:15:00", "2026-02-20 10:15:00", "2026-03-20 10:15:00"]),
        ("0 0 0 ? * FRI-MON", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("0 0 12 29 2 ? 2028-2032", ["2028-02-29 12:00:00", "2032-02-29 12:00:00"]),
    ],
)
def test_moments_are_those_of_quartz(expression: str, expected: list[str]) -> None:
    """The examples of Quartz's own documentation, and the corners of nearest weekdays and years."""
    assert fault(expression, "UTC") is None
    assert coming(expression, len(expected)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * * *",
        "0 0 0 ? * ?",
        "61 * * * * ?",
        "0 0 0 32W * ?",
        "0 0 0 ? * 8",
        "0 0 0 ? * FUN",
        "0 0 0 1 1 ? 1960",
        "0 0 0 30 2 ?",
        "0 0 0 1 1 ? 2020",
    ],
)
def test_what_is_no_schedule_is_said(expression: str) -> None:
    """Bad fields, and moments that never come."""
    assert fault(expression, "UTC")


def test_an_unknown_zone_is_said() -> None:
    """Zones are IANA's."""
    assert "unknown time zone" in (fault("0 0 0 * * ?", "Mars/Olympus") or "")


def test_clock_changes_skip_and_repeat_nothing() -> None:
    """An hour that is skipped fires as soon as it is over; one that comes twice fires the first time."""
    spring = after("0 30 2 * * ?", "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC))
    assert spring == datetime(2026, 3, 8, 7, tzinfo=UTC)
    autumn = after("0 30 1 * * ?", "America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC))
    assert autumn == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert after("0 30 1 * * ?", "America/New_York", autumn) == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@given(st.integers(0, 4 * 366 * 86400), st.sampled_from(["0 0 3 ? * 2#1", "0 30 9 15W * ?", "30 0 0 L * ?"]))
def test_the_next_moment_is_later_and_nothing_lies_between(seconds: int, expression: str) -> None:
    """Asked from just before a moment, that moment is the answer."""
    since = START + timedelta(seconds=seconds)
    found = after(expression, "Europe/Berlin", since)
    assert found is not None and found > since
    assert after(expression, "Europe/Berlin", found - timedelta(seconds=1)) == found
