"""How well a job does: figures of the runs that ended within a window."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from quintet.domain.status import RunStatus

NO_RUNS = -1.0
"""The score of a job of which no run has ended."""
_SUCCESS_WEIGHT = 0.7
_STABILITY_POINTS = 30.0
_STABLE = 2.0
"""A job is stable while 95 % of its runs take at most this many times the average."""


@dataclass(frozen=True, slots=True)
class Health:
    """The figures; durations are in seconds, `success_rate` in percent, `score` from 0 to 100."""

    total: int
    counts: Counter[RunStatus]
    success_rate: float
    average: float
    p95: float
    p99: float
    score: float


def health(ended: Iterable[tuple[RunStatus, float | None]]) -> Health:
    """The figures of runs by their status and duration (None for one that never started).

    Durations are of all runs but canceled ones, whose length says nothing of the job.
    """
    counts: Counter[RunStatus] = Counter()
    durations: list[float] = []
    for status, seconds in ended:
        counts[status] += 1
        if seconds is not None and status is not RunStatus.CANCELED:
            durations.append(seconds)
    total = counts.total()
    if not total:
        return Health(0, counts, 0.0, 0.0, 0.0, 0.0, NO_RUNS)
    durations.sort()
    average = math.fsum(durations) / len(durations) if durations else 0.0
    p95, p99 = _percentile(durations, 95), _percentile(durations, 99)
    success = 100 * counts[RunStatus.COMPLETED] / total
    score = _SUCCESS_WEIGHT * success + (_stability(average, p95) if durations else 0.0)
    return Health(total, counts, round(success, 2), round(average, 3), round(p95, 3), round(p99, 3), round(score, 1))


def _percentile(ordered: list[float], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that so many percent don't exceed; 0 of nothing."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0


def _stability(average: float, p95: float) -> float:
    """All points while p95 is within the bound, ever fewer the further it is above."""
    return _STABILITY_POINTS if p95 <= _STABLE * average else _STABILITY_POINTS * _STABLE * average / p95
