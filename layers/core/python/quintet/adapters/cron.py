"""When a job's cron schedule comes next, in its time zone (cronsim: Debian cron's rules, daylight saving included)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from quintet.domain.job import Job


def fault(expression: str, timezone: str) -> str | None:
    """What is wrong with a five-field cron expression or an IANA zone, None when both are fine."""
    try:
        CronSim(expression, datetime(2026, 1, 1, tzinfo=ZoneInfo(timezone)))
    except CronSimError as error:
        return f"not a cron expression: {error}"
    except (KeyError, ValueError):
        return f"unknown time zone {timezone!r}"
    return None


def after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """The first moment of the schedule after another, None when there is none within fifty years."""
    upcoming = CronSim(expression, moment.astimezone(ZoneInfo(timezone)))
    found: datetime | None = next(upcoming, None)
    return None if found is None else found.astimezone(UTC)


def next_moment(job: Job, moment: datetime) -> datetime | None:
    """The first moment of a job's schedule after another."""
    schedule = job.settings.get("schedule") or {}
    return after(schedule["cron"], schedule["timezone"], moment) if schedule else None
