"""On what terms a job's runs are admitted: limits, windows, deduplication; every API that offers some of them fills in the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quintet.domain.errors import Problem
from quintet.domain.run import VersionPolicy

MOST_WAITING = 1000
"""The highest bound on waiting runs: a slot is one item, which names all who hold it."""

LONGEST_DELAY = 31 * 86_400
"""Seconds."""


class QueueStrategy(StrEnum):
    """What becomes of a trigger whose run can't start at once while others wait."""

    APPEND = "append"
    """It waits behind them, unless as many wait as may: then it is refused."""
    REPLACE = "replace"
    """It takes the place of the last that waits, which is canceled."""
    PARTITIONED_REPLACE = "partitioned_replace"
    """The same among those of its partition, once as many of that wait as may."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `most` runs within `window` seconds. With a `name`: counted apart for each value found there in the payload (a dotted
    path), else in the tags; runs without it are not limited by it."""

    most: int
    window: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one job; None: no such term. Durations are in whole seconds."""

    max_concurrency: int | None = None
    max_concurrency_per_key: int | None = None
    rates: tuple[RateLimit, ...] = ()
    dedup_window: int | None = None
    """A run with the same payload within this time is the same run."""
    debounce_window: int | None = None
    batch_window: int | None = None
    batch_size: int | None = None
    window_cron: str | None = None
    """Runs start only in minutes that match."""
    timezone: str = "UTC"
    ttl: int | None = None
    policy: VersionPolicy = VersionPolicy.PIN
    compatible: bool = False
    """The current version may replace an earlier one under the policy `minor`."""
    skip_if_running: bool = False
    payload_schema: Any = None
    group: str | None = None
    follows: bool = False
    queue_limit: int | None = None
    """How many runs may wait; 0: none, not even for a start delay. Under `replace` one waits, whatever the limit above 0."""
    queue_strategy: QueueStrategy = QueueStrategy.APPEND
    queue_partition_limit: int | None = None
    """How many runs of one partition may wait under `partitioned_replace`; None: one."""
    start_delay: int | None = None
    """A run begins so long after the moment that it was asked to."""

    @property
    def queues(self) -> bool:
        """True when they say who may wait."""
        return self.queue_limit is not None or self.queue_strategy is not QueueStrategy.APPEND

    @property
    def merges(self) -> bool:
        """True when triggers become one run."""
        return self.debounce_window is not None or self.batch_window is not None

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the terms of the queue; places begin with `terms`."""
        bounds = (
            ("queue_limit", 0, MOST_WAITING, ""),
            ("queue_partition_limit", 1, MOST_WAITING, ""),
            ("start_delay", 0, LONGEST_DELAY, " seconds"),
        )
        for name, least, most, unit in bounds:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                yield Problem(("terms", name), f"must be {least} to {most}{unit}", "out_of_range")
            if value is not None and self.merges:
                yield Problem(("terms", name), "a job that debounces or batches has no queue terms")
        if self.merges and self.queue_strategy is not QueueStrategy.APPEND:
            yield Problem(("terms", "queue_strategy"), "a job that debounces or batches has no queue terms")


NO_TERMS = Terms()
