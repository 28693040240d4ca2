"""Random jobs of the Jobs API: an endpoint each, or a DAG, on random terms; and who depends on whom."""

import random
from typing import Any

from simulation import plans
from simulation.endpoints import HOOKS

from quintet.domain.definition import Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.run import VersionPolicy
from quintet.domain.terms import QueueStrategy, RateLimit, Terms

RATES = (
    *[()] * 6,
    (RateLimit(2, 60),),
    (RateLimit(2, 120, "user"),),
    (RateLimit(4, 300), RateLimit(1, 60, "user")),
    (RateLimit(1, 30, "user"), RateLimit(3, 300, "user")),
)
QUEUES: tuple[dict[str, Any], ...] = (
    *[{}] * 3,
    {"queue_limit": 0},
    {"queue_limit": 1},
    {"queue_limit": 1},
    {"queue_limit": 3},
    {"queue_strategy": QueueStrategy.REPLACE},
    {"queue_strategy": QueueStrategy.REPLACE, "queue_limit": 2},
    {"queue_strategy": QueueStrategy.PARTITIONED_REPLACE},
    {"queue_strategy": QueueStrategy.PARTITIONED_REPLACE, "queue_limit": 2},
    {"queue_strategy": QueueStrategy.PARTITIONED_REPLACE, "queue_partition_limit": 2, "queue_limit": 3},
)
CONDITIONS = ("completed", "completed", "failed", "any")


def terms(chance: random.Random, *, merges: bool = True) -> Terms:
    """Some terms of each kind, now and then; `merges`: perhaps a debounce or a batch."""
    merging = chance.choice(("debounce", "batch", None, None, None)) if merges else None
    queue = {} if merging else {**chance.choice(QUEUES), "start_delay": chance.choice((None, None, None, 30))}
    return Terms(
        max_concurrency=chance.choice((None, 1, 1, 2)),
        max_concurrency_per_key=chance.choice((None, None, 1, 2)),
        rates=chance.choice(RATES),
        dedup_window=chance.choice((None, None, None, 120)),
        debounce_window=chance.choice((5, 40)) if merging == "debounce" else None,
        batch_window=chance.choice((5, 60)) if merging == "batch" else None,
        batch_size=chance.choice((None, 2, 3)) if merging == "batch" else None,
        window_cron=chance.choice((None, None, None, None, "*/3 * * * *")),
        ttl=chance.choice((None, None, None, 40, 300)),
        policy=chance.choice(list(VersionPolicy)),
        compatible=chance.random() < 0.5,
        skip_if_running=chance.random() < 0.1,
        follows=True,
        **queue,
    )


def plan(chance: random.Random, callee: str | None) -> Plan:
    """One call of an endpoint, mostly; else a DAG."""
    if chance.random() < 0.15:
        return plans.plan(chance, callee, size=3)
    policy = RetryPolicy(
        max_attempts=chance.choice((1, 2, 3)),
        strategy=chance.choice((Strategy.FIXED, Strategy.EXPONENTIAL)),
        initial_delay=chance.choice((1.0, 20.0, 90.0)),
        jitter=0.2,
    )
    step = StepDef(
        key="call",
        kind="endpoint",
        config={"url": "https://endpoints.example/"},
        retry=policy,
        timeout=chance.choice((20.0, 50.0, 300.0)),
    )
    return Plan((step,))


def settings(chance: random.Random) -> dict[str, Any]:
    """With a completion webhook, or without."""
    return {"webhook_out": {"url": HOOKS}} if chance.random() < 0.5 else {}
