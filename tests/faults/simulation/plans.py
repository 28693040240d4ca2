"""Random plans: DAGs of every kind, with retries, policies, conditions, loops and maps."""

import random

from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy

KINDS = ("work", "work", "work", "work", "set", "pause", "input", "each", "times", "call")


def plan(chance: random.Random, callee: str | None, size: int = 7) -> Plan:
    """A plan of up to `size` root steps; `callee` is the job that its calls call (None: it makes none)."""
    kinds = KINDS if callee else KINDS[:-1]
    timeout = chance.choice((None, None, None, 120.0, 900.0))
    return Plan(steps(chance, kinds, chance.randint(1, size), 0, callee), timeout)


def steps(
    chance: random.Random, kinds: tuple[str, ...], count: int, depth: int, callee: str | None
) -> tuple[StepDef, ...]:
    """`count` steps, each depending on some before it."""
    made: list[StepDef] = []
    for index in range(count):
        kind = chance.choice(kinds)
        if depth and kind in {"each", "times", "input"}:
            kind = "work" if depth > 1 or kind == "input" else kind
        earlier = [step.key for step in made]
        made.append(
            StepDef(
                key=f"s{index}",
                kind=kind,
                depends_on=tuple(sorted(chance.sample(earlier, chance.randint(0, min(3, len(earlier)))))),
                when=chance.choice((None, None, None, "true", "false")),
                config=_config(chance, kind, callee),
                retry=_retry(chance),
                timeout=chance.choice((None, None, 5.0, 300.0)) if kind == "work" else None,
                on_failure=chance.choice((*OnFailure, OnFailure.FAIL)),
                body=steps(chance, kinds, chance.randint(1, 3), depth + 1, callee) if kind in {"each", "times"} else (),
            )
        )
    return tuple(made)


def _config(chance: random.Random, kind: str, callee: str | None) -> dict[str, object]:
    match kind:
        case "pause":
            return {"seconds": chance.choice((0.5, 4, 40, 900))}
        case "input":
            return {"seconds": chance.choice((30, 600, None))}
        case "each" | "times":
            return {"count": chance.randint(1, 4)}
        case "call":
            return {"job_id": callee}
        case "work":
            return {"failing": chance.choice((0.0, 0.2, 0.6))}
    return {}


def _retry(chance: random.Random) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=chance.choice((1, 1, 2, 4)),
        strategy=chance.choice((Strategy.FIXED, Strategy.EXPONENTIAL, Strategy.LINEAR)),
        initial_delay=chance.choice((0.0, 1.0, 30.0)),
        max_delay=chance.choice((None, 60.0)),
        jitter=chance.choice((0.0, 0.5)),
    )
