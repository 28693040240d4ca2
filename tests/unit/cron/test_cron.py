"""When cron schedules fire: fields, leap days, and both changes of the clocks in five zones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.adapters.cron import CronSchedules

schedules = CronSchedules()

NEW_YORK, LONDON, LORD_HOWE, KATHMANDU = "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu"


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(expression: str, zone: str, begin: str, times: int) -> list[str]:
    """The next moments of a schedule."""
    found, moment = [], at(begin)
    for _ in range(times):
        upcoming = schedules.after(expression, zone, moment)
        assert upcoming is not None
        moment = upcoming
        found.append(moment.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00"))
    return found


CHANGES = [
    # A skipped hour fires once, as soon as it is over.
    (NEW_YORK, "30 2 * * *", "2026-03-07T12:00", ["2026-03-08 07:00", "2026-03-09 06:30"]),
    (NEW_YORK, "0 2 * * *", "2026-03-07T12:00", ["2026-03-08 07:00", "2026-03-09 06:00"]),
    (NEW_YORK, "*/20 2 * * *", "2026-03-07T12:00", ["2026-03-08 07:00", "2026-03-09 06:00", "2026-03-09 06:20"]),
    (NEW_YORK, "15 1-3 * * *", "2026-03-08T05:50", ["2026-03-08 06:15", "2026-03-08 07:00", "2026-03-08 07:15"]),
    (NEW_YORK, "30 2 * * *", "2027-03-13T12:00", ["2027-03-14 07:00", "2027-03-15 06:30"]),
    (LONDON, "30 1 * * *", "2026-03-28T12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
    (LONDON, "59 1 * * *", "2027-03-27T12:00", ["2027-03-28 01:00", "2027-03-29 00:59"]),
    (LORD_HOWE, "15 2 * * *", "2026-10-02T20:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
    (LORD_HOWE, "30 2 * * *", "2026-10-02T20:00", ["2026-10-03 15:30", "2026-10-04 15:30"]),
    (LORD_HOWE, "15 2 * * *", "2027-10-01T20:00", ["2027-10-02 15:30", "2027-10-03 15:15"]),
    # An hour that comes twice fires once, the first time.
    (NEW_YORK, "30 1 * * *", "2026-10-31T12:00", ["2026-11-01 05:30", "2026-11-02 06:30"]),
    (NEW_YORK, "*/30 1 * * *", "2026-11-01T04:50", ["2026-11-01 05:00", "2026-11-01 05:30", "2026-11-02 06:00"]),
    (NEW_YORK, "30 1 * * *", "2027-11-06T12:00", ["2027-11-07 05:30", "2027-11-08 06:30"]),
    (NEW_YORK, "0 2 * * *", "2026-10-31T12:00", ["2026-11-01 07:00", "2026-11-02 07:00"]),
    (LONDON, "30 1 * * *", "2026-10-24T12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
    (LONDON, "30 1 * * *", "2027-10-30T12:00", ["2027-10-31 00:30", "2027-11-01 01:30"]),
    (LORD_HOWE, "45 1 * * *", "2026-04-03T20:00", ["2026-04-04 14:45", "2026-04-05 15:15"]),
    (LORD_HOWE, "45 1 * * *", "2027-04-02T20:00", ["2027-04-03 14:45", "2027-04-04 15:15"]),
    # A schedule of every hour goes by real time: no gap, and no hour twice as long.
    (NEW_YORK, "0 * * * *", "2026-03-08T05:50", ["2026-03-08 06:00", "2026-03-08 07:00", "2026-03-08 08:00"]),
    (NEW_YORK, "30 * * * *", "2026-11-01T04:50", ["2026-11-01 05:30", "2026-11-01 06:30", "2026-11-01 07:30"]),
    (LORD_HOWE, "*/30 * * * *", "2026-04-04T14:20", ["2026-04-04 14:30", "2026-04-04 15:00", "2026-04-04 15:30"]),
    # No change of the clocks, and an odd offset.
    (KATHMANDU, "0 9 * * *", "2026-03-07T12:00", ["2026-03-08 03:15", "2026-03-09 03:15"]),
    (KATHMANDU, "45 5 * * *", "2027-10-30T12:00", ["2027-10-31 00:00", "2027-11-01 00:00"]),
    ("UTC", "30 2 * * *", "2026-03-07T12:00", ["2026-03-08 02:30", "2026-03-09 02:30"]),
    ("UTC", "30 1 * * *", "2026-10-24T12:00", ["2026-10-25 01:30", "2026-10-26 01:30"]),
]


@pytest.mark.parametrize(("zone", "expression", "begin", "expected"), CHANGES)
def test_changes_of_the_clocks(zone: str, expression: str, begin: str, expected: list[str]) -> None:
    """Skipped hours fire once after, repeated hours once, schedules of every hour by real time."""
    assert fired(expression, zone, begin, len(expected)) == expected


FIELDS = [
    ("0 0 29 2 *", "2026-03-01T00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
    ("0 0 31 * *", "2026-01-31T00:00", ["2026-03-31 00:00", "2026-05-31 00:00"]),
    ("0 0 * * MON", "2026-11-22T00:00", ["2026-11-23 00:00", "2026-11-30 00:00"]),
    ("0 0 * * 0", "2026-11-23T00:00", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    ("0 0 * * 7", "2026-11-23T00:00", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    ("0 0 * jan-mar mon,WED", "2026-11-22T00:00", ["2027-01-04 00:00", "2027-01-06 00:00"]),
    ("0 0 1,15 * 5", "2026-11-22T00:00", ["2026-11-27 00:00", "2026-12-01 00:00"]),  # a day of either kind
    (
        "*/25 1-10/4 * * *",
        "2026-11-22T00:00",
        ["2026-11-22 01:00", "2026-11-22 01:25", "2026-11-22 01:50", "2026-11-22 05:00"],
    ),
    ("59 23 31 12 *", "2026-11-22T00:00", ["2026-12-31 23:59", "2027-12-31 23:59"]),
    ("0 0 1 1 *", "2099-06-01T00:00", ["2100-01-01 00:00", "2101-01-01 00:00"]),
    ("0 0 29 2 *", "2096-03-01T00:00", ["2104-02-29 00:00"]),
]


@pytest.mark.parametrize(("expression", "begin", "expected"), FIELDS)
def test_fields(expression: str, begin: str, expected: list[str]) -> None:
    """Names, lists, ranges, steps, leap days, and days of the month or of the week."""
    assert fired(expression, "UTC", begin, len(expected)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "@daily",
        "0 0 30 2 *",
        "0 0 L * *",
        "0 0 15W * *",
        "0 0 * * 5L",
        "0 0 * * 1#2",
        "0 0 ? * *",
        "0 0 LW * *",
        "0 0 1,L * *",
    ],
)
def test_what_is_no_schedule_is_refused_with_a_reason(expression: str) -> None:
    """Wrong counts, ranges and words, days that never come, and the extensions of other crons."""
    assert schedules.fault(expression, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "utc\x00"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    """It is named as such."""
    assert "time zone" in (schedules.fault("* * * * *", zone) or "")


@given(
    st.sampled_from(["30 1,2 * * *", "*/15 0-3 * * *", "7 */2 * * *", "0 * * * *", "*/10 * * * *"]),
    st.sampled_from([NEW_YORK, LONDON, LORD_HOWE, KATHMANDU, "UTC"]),
    st.integers(0, 690 * 86_400).map(lambda seconds: at("2026-01-01") + timedelta(seconds=seconds)),
)
def test_moments_only_go_forward(expression: str, zone: str, moment: datetime) -> None:
    """Each comes strictly after the one before, whatever the clocks do, and asking from between two gives the second."""
    found = [moment]
    for _ in range(12):
        upcoming = schedules.after(expression, zone, found[-1])
        assert upcoming is not None
        found.append(upcoming)
    assert all(early < late for early, late in pairwise(found))
    between = found[5] + (found[6] - found[5]) / 2
    assert schedules.after(expression, zone, between) == found[6]
