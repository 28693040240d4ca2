"""When projects, jobs and tasks start by themselves, as the tick reads it in settings `schedule`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quintet.domain.errors import Invalid, Problem
from quintet.domain.job import Job
from quintet.services.ports.schedules import Schedules

DEFAULT_ZONE = "UTC"
Schedule = dict[str, Any]


def iso(at: datetime) -> str:
    """A moment as it is stored."""
    return at.isoformat().replace("+00:00", "Z")


def moment(stored: str | None) -> datetime | None:
    """The moment that `iso` wrote."""
    return None if stored is None else datetime.fromisoformat(stored)


def once(at: datetime | None, now: datetime, was: Job | None, *, enabled: bool) -> Schedule | None:
    """A single moment, which comes only while it is ahead and the job is enabled. One that has fired already doesn't come again."""
    if at is None:
        return None
    kept = _kept(was, enabled=enabled)
    if kept is not None and kept.get("at") == iso(at):
        return dict(kept)
    return {"at": iso(at), "next_at": iso(at) if enabled and at > now else None}


def cron(
    expression: str | None, zone: str, now: datetime, was: Job | None, schedules: Schedules, *, enabled: bool
) -> Schedule | None:
    """A cron schedule with its next moment. Raises Invalid for an expression or zone that is none, or never comes."""
    if expression is None:
        return None
    if fault := schedules.fault(expression, zone):
        raise Invalid([Problem(("timezone" if "time zone" in fault else "cronSchedule",), fault)])
    kept = _kept(was, enabled=enabled)
    if kept is not None and (kept.get("cron"), kept.get("timezone")) == (expression, zone):
        return dict(kept)  # a moment that is due now would be lost if it were reckoned anew
    upcoming = schedules.after(expression, zone, now) if enabled else None
    return {"cron": expression, "timezone": zone, "next_at": None if upcoming is None else iso(upcoming)}


def _kept(was: Job | None, *, enabled: bool) -> Mapping[str, Any] | None:
    """The schedule as it is, where it goes on."""
    goes_on = was is not None and enabled and was.status == "active"
    return was.settings.get("schedule") if was is not None and goes_on else None


def with_schedule(settings: Mapping[str, Any], schedule: Schedule | None) -> dict[str, Any]:
    """The settings with this schedule, or without any."""
    rest = {name: value for name, value in settings.items() if name != "schedule"}
    return rest if schedule is None else {**rest, "schedule": schedule}
