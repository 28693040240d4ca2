"""On what terms a job's runs are admitted: limits, windows, deduplication; every API that offers some of them fills in the same."""

from dataclasses import dataclass
from typing import Any

from quintet.domain.run import VersionPolicy


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


NO_TERMS = Terms()
