"""When a Quartz schedule comes next: six or seven fields (second, minute, hour, day of month, month, day of week, year).

The fields are read by cronsim, in its own words for days of the week (Quartz counts them from 1, Sunday); what it has no words for, the
weekday nearest to a day (`15W`) and years, is looked for month by month. Clock changes are treated as in cron.py.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from quintet.adapters.cron import LONGEST_GAP, real_time

HORIZON_YEARS = 50
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NEAREST = re.compile(r"(\d{1,2})W")
_YEARS = re.compile(r"\*|[\d,/*-]+")


@dataclass(frozen=True, slots=True)
class Quartz:
    """An expression, taken apart: what cronsim reads (without the day of month, where that is a nearest weekday), and years."""

    times: str
    day: str
    month: str
    weekday: str
    nearest: int | None
    years: frozenset[int] | None

    @property
    def hourly(self) -> bool:
        """True for one that comes in every hour, and so goes by real time."""
        return self.times.split()[2] == "*"


def fault(expression: str, timezone: str) -> str | None:
    """What is wrong with a Quartz expression or an IANA zone, None when both are fine."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return f"unknown time zone {timezone!r}"
    try:
        read(expression)
        if after(expression, timezone, datetime(2026, 1, 1, tzinfo=UTC)) is None:
            return "this moment never comes"
    except (CronSimError, ValueError) as error:
        return f"not a Quartz expression: {error}"
    return None


def after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """The first moment of the schedule after another, None when there is none within fifty years. Raises ValueError, CronSimError."""
    quartz, zone = read(expression), ZoneInfo(timezone)
    if quartz.hourly:
        return next((found.astimezone(UTC) for found in _moments(quartz, moment.astimezone(zone))), None)
    shown = moment.astimezone(zone).replace(tzinfo=None) - LONGEST_GAP
    found = (real_time(nominal.replace(tzinfo=None), zone) for nominal in _moments(quartz, shown.replace(tzinfo=UTC)))
    return next((real for real in found if real > moment), None)


def read(expression: str) -> Quartz:
    """The expression's parts. Raises ValueError, CronSimError."""
    fields = expression.upper().split()
    if len(fields) not in (6, 7):
        raise ValueError("six or seven fields are needed: second, minute, hour, day, month, weekday and perhaps year")
    second, minute, hour, day, month, weekday, *year = fields
    if day == weekday == "?":
        raise ValueError("day of month and day of week can't both be ?")
    nearest = _NEAREST.fullmatch(day)
    if nearest and not 1 <= int(nearest[1]) <= 31:
        raise ValueError(f"bad day of month {day!r}")
    weekday = "*" if weekday == "?" else ",".join(_weekday(part) for part in weekday.split(","))
    day = "*" if day == "?" or nearest else day
    found = Quartz(
        f"{second} {minute} {hour}",
        day,
        month,
        weekday,
        int(nearest[1]) if nearest else None,
        _years(year[0]) if year else None,
    )
    next(CronSim(_text(found), datetime(2026, 1, 1, tzinfo=UTC)), None)
    return found


def _text(quartz: Quartz, day: int | None = None, month: int | None = None) -> str:
    return f"{quartz.times} {day or quartz.day} {month or quartz.month} {quartz.weekday}"


def _weekday(part: str) -> str:
    """Quartz's days (1 to 7 from Sunday, names, 6L, 6#3, L) in cron's (0 to 6)."""
    if part == "L":
        return "6"
    body, step = (*part.split("/", 1), "")[:2]
    if body.endswith("L"):
        return f"{_number(body[:-1])}L"
    if "#" in body:
        day, nth = body.split("#", 1)
        return f"{_number(day)}#{nth}"
    ends = [one if one == "*" else str(_number(one)) for one in body.split("-", 1)]
    if len(ends) == 2 and ends[0] > ends[1]:  # FRI-MON
        first, last = int(ends[0]), int(ends[1])
        return ",".join(str(day) for day in (*range(first, 7), *range(last + 1)))
    if step and len(ends) == 1 and ends[0] != "*":
        ends.append("6")
    return "-".join(ends) + (f"/{step}" if step else "")


def _number(day: str) -> int:
    if day in _DAYS:
        return _DAYS.index(day)
    if day.isdigit() and 1 <= int(day) <= 7:
        return int(day) - 1
    raise ValueError(f"bad day of week {day!r}")


def _years(field: str) -> frozenset[int] | None:
    if field in {"*", "?"}:
        return None
    if not _YEARS.fullmatch(field):
        raise ValueError(f"bad year {field!r}")
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        low, _, high = body.partition("-")
        first = 1970 if low == "*" else int(low)
        last = int(high) if high else (2199 if step or low == "*" else first)
        if not 1970 <= first <= last <= 2199:
            raise ValueError(f"bad year {part!r}: years are from 1970 to 2199")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _moments(quartz: Quartz, since: datetime) -> Iterator[datetime]:
    """The moments after `since`, of the wanted years."""
    last = since.year + HORIZON_YEARS
    for year in range(since.year, last + 1):
        if quartz.years is not None and year not in quartz.years:
            continue
        start = since if year == since.year else datetime(year, 1, 1, tzinfo=since.tzinfo) - timedelta(seconds=1)
        yield from _of_year(quartz, year, start)


def _of_year(quartz: Quartz, year: int, since: datetime) -> Iterator[datetime]:
    if quartz.nearest is None:
        for moment in CronSim(_text(quartz), since):
            if moment.year > year:
                return
            if moment.year == year:
                yield moment
        return
    for month in range(since.month if since.year == year else 1, 13):
        day = _nearest(year, month, quartz.nearest)
        if day is None:
            continue
        for moment in CronSim(_text(quartz, day, None), since):
            if (moment.year, moment.month) > (year, month):
                break
            if (moment.year, moment.month) == (year, month):
                yield moment


def _nearest(year: int, month: int, day: int) -> int | None:
    """The weekday nearest to a day, within its month; None where the month has no such day."""
    days = monthrange(year, month)[1]
    if day > days:
        return None
    weekday = date(year, month, day).weekday()
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < days else day - 2
    return day
