"""Which jobs stand in which lists, in order, so that memory too reads no more than its answer."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from quintet.adapters.job_records import next_moment
from quintet.domain.events import to_millis
from quintet.domain.job import Job

Place = tuple[int, str]
"""A number that orders first (0 where there is none), and the job's id."""

DUE = ("due",)


class JobIndex:
    """Sorted places by list."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, ...], list[Place]] = {}

    def move(self, before: Job | None, after: Job | None) -> None:
        """Takes a job from the lists that it stood in, and puts it into those of now."""
        had, has = (set(_places(one)) if one else set() for one in (before, after))
        for name, place in had - has:
            places = self._lists[name]
            del places[bisect_left(places, place)]
        for name, place in has - had:
            insort(self._lists.setdefault(name, []), place)

    def size(self, name: tuple[str, ...]) -> int:
        """How many stand in a list."""
        return len(self._lists.get(name, ()))

    def newest(self, name: tuple[str, ...], limit: int, offset: int = 0, before: str | None = None) -> list[str]:
        """Ids of a list, greatest first, below one of them."""
        places = self._lists.get(name, [])
        end = (len(places) if before is None else bisect_left(places, (0, before))) - offset
        return [job_id for _, job_id in places[max(end - limit, 0) : max(end, 0)]][::-1]

    def due(self, until: int, limit: int) -> list[str]:
        """Ids of scheduled jobs with a moment up to that one (milliseconds), earliest first."""
        places = self._lists.get(DUE, [])
        return [job_id for _, job_id in places[: min(limit, bisect_right(places, (until, "~")))]]


def _places(job: Job) -> Iterator[tuple[tuple[str, ...], Place]]:
    yield ("all", job.project, job.dialect), (0, job.id)
    yield ("status", job.project, job.dialect, job.status), (0, job.id)
    for label in job.labels:
        yield ("label", job.project, job.dialect, label), (0, job.id)
    if (moment := next_moment(job)) is not None:
        yield DUE, (to_millis(moment), job.id)
