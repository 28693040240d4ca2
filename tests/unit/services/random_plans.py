"""Random plans of the real step kinds, and random outcomes of their attempts."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy

DEEPEST = 2
SETTLED_BY_ENDPOINT = "https://service.example/{% attempt %}"

retries = st.builds(
    RetryPolicy,
    max_attempts=st.sampled_from((1, 1, 2, 3)),
    strategy=st.sampled_from((Strategy.FIXED, Strategy.LINEAR, Strategy.EXPONENTIAL)),
    initial_delay=st.sampled_from((0.0, 0.5, 3.0, 90.0)),
    jitter=st.sampled_from((0.0, 0.3)),
)


@st.composite
def frames(draw: st.DrawFn, depth: int = 0) -> tuple[StepDef, ...]:
    """A list of steps, each depending on some before it, some with bodies."""
    count = draw(st.integers(1, 6 if not depth else 3))
    made: list[StepDef] = []
    for index in range(count):
        needed = draw(st.sets(st.sampled_from([step.key for step in made]), max_size=3)) if made else set()
        kinds = ["http", "http", "http", "set", "wait"] + (["loop", "map"] if depth < DEEPEST else [])
        made.append(draw(_steps(f"s{index}", tuple(sorted(needed)), draw(st.sampled_from(kinds)), depth)))
    return tuple(draw(st.permutations(made)))


@st.composite
def _steps(draw: st.DrawFn, key: str, needed: tuple[str, ...], kind: str, depth: int) -> StepDef:
    step = StepDef(
        key,
        kind,
        depends_on=needed,
        when=draw(st.sampled_from((None, None, None, "input.yes", "input.no"))),
        config=draw(_configs(kind)),
        on_failure=draw(st.sampled_from(OnFailure)),
    )
    if kind in {"http", "loop", "map"}:
        step = replace(step, retry=draw(retries))
    if kind == "http":
        step = replace(step, timeout=draw(st.sampled_from((None, None, 20.0, 300.0))))
    if kind in {"loop", "map"}:
        step = replace(step, body=draw(frames(depth + 1)))
    return step


@st.composite
def _configs(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    if kind == "http":
        return {"url": SETTLED_BY_ENDPOINT}
    if kind == "wait":
        return {"seconds": draw(st.sampled_from((0, 0.5, 10, 200)))}
    if kind == "set":
        return {"values": {"n": "{% input.n %}"}}
    if kind == "map":
        items = list(range(draw(st.integers(0, 3))))
        return {
            "items": items,
            "max_concurrency": draw(st.integers(1, 3)),
            "tolerate_failures": draw(st.integers(0, 2)),
        }
    return {"until": f"iteration = {draw(st.integers(1, 3))}"}


crashes = st.lists(st.tuples(st.integers(1, 25), st.sampled_from(("before", "after"))), max_size=4)
"""(how many port calls after the crash before it, on which side of the call)"""
