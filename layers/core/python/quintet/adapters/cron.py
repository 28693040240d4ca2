"""When a cron schedule comes next, in its time zone.

The fields are read by cronsim (Debian cron's rules). On the days when clocks change: a schedule of every hour (`*`) goes by real time; any
other fires once for an hour that is skipped, as soon as it is over, and once for an hour that comes twice, the first time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from quintet.domain.job import Job

FIELDS = 5
LONGEST_GAP = timedelta(days=1, hours=1)
"""How far clocks have ever been set forward: whole days, where the date line was moved."""


class CronSchedules:
    """Port Schedules."""

    def fault(self, expression: str, timezone: str) -> str | None:
        """What is wrong with a five-field cron expression or an IANA zone, None when both are fine."""
        return fault(expression, timezone)

    def after(self, expression: str, timezone: str, moment: datetime) -> datetime | None:
        """The first moment of the schedule after another, None when there is none within fifty years."""
        return after(expression, timezone, moment)


def fault(expression: str, timezone: str) -> str | None:
    """What is wrong with a five-field cron expression or an IANA zone, None when both are fine."""
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return f"unknown time zone {timezone!r}"
    fields = expression.split()
    if len(fields) != FIELDS:
        return "a cron expression has five fields: minute, hour, day, month, weekday"
    if fields[2].upper().strip("LW0123456789") != fields[2].upper().strip("0123456789") or set("L#?") & set(
        fields[4].upper()
    ):
        return "not a cron expression: L, W, # and ? are not supported"
    try:
        upcoming = next(CronSim(expression, datetime(2026, 1, 1, tzinfo=zone)), None)
    except CronSimError as error:
        return f"not a cron expression: {error}"
    return None if upcoming else "this moment never comes"


def after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """The first moment of the schedule after another, None when there is none within fifty years."""
    zone = ZoneInfo(timezone)
    if expression.split()[1] == "*":
        found = next(CronSim(expression, moment.astimezone(zone)), None)
        return None if found is None else found.astimezone(UTC)
    return next((real for real in _fired(expression, zone, moment) if real > moment), None)


def _fired(expression: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """The schedule's moments from shortly before another one: what the clock on the wall should show, as real time."""
    shown = moment.astimezone(zone).replace(tzinfo=None) - LONGEST_GAP
    for nominal in CronSim(expression, shown.replace(tzinfo=UTC)):
        yield real_time(nominal.replace(tzinfo=None), zone)


def real_time(shown: datetime, zone: tzinfo) -> datetime:
    """When a clock shows this: the first time of two; for a time that it skips, the moment it skips it."""
    real = shown.replace(tzinfo=zone).astimezone(UTC)
    if real.astimezone(zone).replace(tzinfo=None) == shown:
        return real
    early = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)  # the clocks are set between this and `real`
    offset = early.astimezone(zone).utcoffset()
    low, high = 0, int((real - early).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        set_by_then = (early + timedelta(seconds=middle)).astimezone(zone).utcoffset() != offset
        low, high = (low, middle) if set_by_then else (middle, high)
    return early + timedelta(seconds=high)


def next_moment(job: Job, moment: datetime) -> datetime | None:
    """The first moment of a job's schedule after another: of a `cron` or `quartz` in its `timezone`, or one
    single moment, `at` (ISO 8601)."""
    schedule = job.settings.get("schedule") or {}
    if "quartz" in schedule:
        from quintet.adapters import quartz

        return quartz.after(schedule["quartz"], schedule["timezone"], moment)
    if "at" in schedule:
        once = datetime.fromisoformat(schedule["at"])
        once = once.replace(tzinfo=UTC) if once.tzinfo is None else once.astimezone(UTC)
        return once if once > moment else None
    return after(schedule["cron"], schedule["timezone"], moment) if schedule else None
