"""Random plans: DAGs of every kind, with retries, policies, conditions, loops and maps."""

import random

from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy

KINDS = ("work", "work", "work", "work", "program", "job", "set", "pause", "input", "each", "times", "call")


def plan(chance: random.Random, callee: str | None, size: int = 7) -> Plan:
    """A plan of up to `size` root steps; `callee` is the job that its calls call (None: it makes none)."""
    kinds = KINDS if callee else KINDS[:-1]
    timeout = chance.choice((None, None, None, 120.0, 900.0))
    reaped = chance.random() < 0.4
    # What nothing ends is ended with its run, by the run's time or as a zombie.
    found = steps(chance, kinds, chance.randint(1, size), 0, callee, endless=reaped or timeout is not None)
    return Plan(found, timeout, reaped)


def steps(
    chance: random.Random, kinds: tuple[str, ...], count: int, depth: int, callee: str | None, *, endless: bool
) -> tuple[StepDef, ...]:
    """`count` steps, each depending on some before it; `endless`: their work may go on for ever."""
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
                config=_config(chance, kind, callee, depth, endless=endless),
                retry=_retry(chance),
                timeout=chance.choice((None, None, 5.0, 300.0)) if kind in {"work", "program"} else None,
                on_failure=chance.choice((*OnFailure, OnFailure.FAIL)),
                body=steps(chance, kinds, chance.randint(1, 3), depth + 1, callee, endless=endless)
                if kind in {"each", "times"}
                else (),
            )
        )
    return tuple(made)


def _config(chance: random.Random, kind: str, callee: str | None, depth: int, *, endless: bool) -> dict[str, object]:
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
        case "program":
            seconds = chance.choice((0.5, 4.0, 25.0, 400.0))
            breaks = chance.choice((0.0, 0.0, 0.3))
            return {
                "seconds": seconds,
                "hangs": chance.random() < 0.5,
                "fails": chance.choice((0.0, 0.4)),
                "breaks": breaks,
            }
        case "job":
            # Within loops it comes many times, each with its attempts.
            deadline = chance.choice((None, 60.0) if depth else (None, None, 60.0, 1000.0))
            seconds = (1.0, 60.0, 300.0) if depth else (1.0, 60.0, 500.0, 4000.0)
            job = {"seconds": chance.choice((*seconds, None) if endless or deadline else seconds)}
            return {**job, "deadline": deadline, "fails": chance.choice((0.0, 0.4))}
    return {}


def _retry(chance: random.Random) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=chance.choice((1, 1, 2, 4)),
        strategy=chance.choice((Strategy.FIXED, Strategy.EXPONENTIAL, Strategy.LINEAR)),
        initial_delay=chance.choice((0.0, 1.0, 30.0)),
        max_delay=chance.choice((None, 60.0)),
        jitter=chance.choice((0.0, 0.5)),
    )
