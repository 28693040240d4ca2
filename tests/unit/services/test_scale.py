"""Cost grows with the run, not with its square. Work is counted, never timed."""

import json
import sys
from collections.abc import Callable
from threading import Barrier
from types import FrameType

import pytest
from engine_stage import Stage, call, rest, step, url

from quintet.adapters.threads import ThreadPool
from quintet.domain.definition import StepDef
from quintet.domain.events import event_to_dict
from quintet.domain.status import RunStatus


def chain(count: int) -> tuple[StepDef, ...]:
    """Each step after the one before it."""
    return tuple(call(f"s{i}", *([f"s{i - 1}"] if i else [])) for i in range(count))


def loop(count: int) -> tuple[StepDef, ...]:
    """One step again and again."""
    config = {"until": f"iteration = {count}", "max_iterations": count}
    return (step("loop", kind="loop", config=config, body=(call("a"),)),)


def each(count: int) -> tuple[StepDef, ...]:
    """One step for many items."""
    return (step("each", kind="map", config={"items": list(range(count))}, body=(call("a"),)),)


def fan(count: int) -> tuple[StepDef, ...]:
    """Many beside each other."""
    return (call("root"), *(call(f"s{i}", "root") for i in range(count)))


def journal_bytes(stage: Stage, run_id: str) -> int:
    """What the journal takes."""
    return len(json.dumps([event_to_dict(event) for event in stage.events(run_id)]))


def calls_of(act: Callable[[], object]) -> int:
    """How many Python calls something makes: a measure of work that no clock disturbs."""
    count = 0

    def note(_frame: FrameType, kind: str, _arg: object) -> None:
        nonlocal count
        count += kind in {"call", "c_call"}

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def play(steps: tuple[StepDef, ...]) -> tuple[Stage, str]:
    """A whole run."""
    stage = Stage()
    run_id = stage.run(*steps)
    assert stage.stores["runs"].get(run_id).status is RunStatus.COMPLETED
    return stage, run_id


def test_a_run_of_two_thousand_steps() -> None:
    """One small write a step, four snapshots in all, one read of the journal, every step called once."""
    stage, run_id = play(chain(2000))
    assert stage.calls["runs.append"] <= 2000 + 2
    assert stage.calls["runs.keep_snapshot"] <= 5
    assert stage.calls["runs.load"] == 1
    assert stage.calls["bursts.start"] == 1
    assert len(stage.http.calls) == 2000
    assert len(stage.events(run_id)) <= 2 * 2000 + 5


def test_a_loop_of_a_thousand_iterations() -> None:
    """The same for a loop: one write an iteration, and no more reads than for one of ten."""
    stage, run_id = play(loop(1000))
    assert stage.calls["runs.append"] <= 1000 + 2
    assert stage.calls["runs.keep_snapshot"] <= 5
    assert stage.calls["runs.load"] == 1
    assert stage.result(run_id, "loop")["iterations"] == 1000


def test_a_map_of_a_thousand_items_keeps_them_out_of_its_runs_journal() -> None:
    """A large map goes to the fan-out machine; its run's journal stays as short as for one item."""
    stage, run_id = play(each(1000))
    assert len(stage.http.calls) == 1000
    assert len(stage.result(run_id, "each")) == 1000
    assert len(stage.events(run_id)) < 20


@pytest.mark.parametrize("shape", [chain, loop, fan])
def test_bytes_and_port_calls_a_step_stay_flat(shape: Callable[[int], tuple[StepDef, ...]]) -> None:
    """A long run writes no more a step than a short one."""

    def cost(count: int) -> tuple[float, float]:
        stage, run_id = play(shape(count))
        ports = sum(n for name, n in stage.calls.items() if name.startswith(("runs.", "bursts.", "timers.", "blobs.")))
        return journal_bytes(stage, run_id) / count, ports / count

    (short_bytes, short_calls), (long_bytes, long_calls) = cost(100), cost(1000)
    assert long_bytes <= 1.1 * short_bytes
    assert long_calls <= 1.1 * short_calls


@pytest.mark.parametrize("shape", [chain, loop])
def test_the_engines_own_work_a_step_stays_flat(shape: Callable[[int], tuple[StepDef, ...]]) -> None:
    """Deciding, folding and booking cost as much for the last step as for the first."""

    def work(count: int) -> float:
        stage = Stage()
        run_id = stage.trigger(stage.define(*shape(count)))
        _ = stage.services.journal.open(run_id).state.plan.graph
        return calls_of(stage.play) / count

    work(10)  # imports and caches
    assert work(800) <= 1.25 * work(100)


def test_a_parked_loop_writes_and_calls_the_same_in_every_iteration() -> None:
    """Also when each iteration lets the run rest."""

    def cost(count: int) -> float:
        config = {"until": f"iteration = {count}"}
        stage, _ = play((step("loop", kind="loop", config=config, body=(rest("w", seconds=100),)),))
        return sum(n for name, n in stage.calls.items() if not name.startswith("logs.")) / count

    assert cost(200) <= 1.1 * cost(20)


def test_attempts_of_one_run_really_run_beside_each_other(engine: Stage) -> None:
    """In the product's own pool eight calls are under way at once: each waits for the seven others."""
    together = Barrier(8)

    def meet(_request: object) -> int:
        together.wait(timeout=30)
        return 200

    engine.services.pool = ThreadPool
    for index in range(8):
        engine.http.on(url(f"s{index}"), meet)
    run_id = engine.run(*[call(f"s{index}") for index in range(8)])
    assert engine.status(run_id) is RunStatus.COMPLETED
