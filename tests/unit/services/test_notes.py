"""What attempts note of themselves stands in the run's item, where lists see it, from the moment of their end."""

import logging
from typing import Any

import pytest
from engine_stage import PROJECT, Stage, ask, call, parked, program, step

from quintet.domain import snapshot
from quintet.domain.definition import RetryPolicy, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus
from quintet.domain.terms import Terms
from quintet.services import attempts
from quintet.services.ports.runs import RunList

MAKES = {"program": program, "job": parked}
MEASURED = {"execution": {"rows": 3, "bytes": None}}


FOLLOWED = Terms(follows=True)


def listed(engine: Stage, run_id: str) -> Any:
    """The metadata that a list of runs shows, read without a journal."""
    loads = engine.calls["runs.load"]
    (run,) = [one for one in engine.stores["runs"].page(PROJECT, None, 100, 0) if one.id == run_id]
    assert engine.calls["runs.load"] == loads
    return run.asked.get("metadata")


@pytest.mark.parametrize("kind", MAKES)
def test_the_notes_of_a_success_are_listed(engine: Stage, kind: str) -> None:
    """With the names that the trigger gave the run."""
    job = engine.define(MAKES[kind]("a", seconds=5.0, said={"notes": MEASURED, "result": 1}), terms=FOLLOWED)
    run_id = engine.submit(job, metadata={"by": "ada"}).run.id
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert listed(engine, run_id) == {"by": "ada", **MEASURED}


@pytest.mark.parametrize("kind", MAKES)
def test_the_notes_of_a_failure_are_listed(engine: Stage, kind: str) -> None:
    """What was measured until then."""
    run_id = engine.run(MAKES[kind]("a", seconds=5.0, said={"notes": MEASURED, "fails": "Broken"}))
    assert engine.status(run_id) is RunStatus.FAILED
    assert listed(engine, run_id) == MEASURED


@pytest.mark.parametrize("kind", MAKES)
def test_an_attempt_that_is_tried_again_has_noted_already(engine: Stage, kind: str) -> None:
    """While the step rests before the next one; null takes a name out."""
    said = {"notes": {**MEASURED, "by": None}, "fails": "Broken"}
    retry = RetryPolicy(2, Strategy.FIXED, 600.0)
    job = engine.define(MAKES[kind]("a", seconds=5.0, said=said, retry=retry), terms=FOLLOWED)
    run_id = engine.submit(job, metadata={"by": "ada"}).run.id
    engine.play(60)
    assert engine.reasons(run_id) == ["retry"]
    assert listed(engine, run_id) == MEASURED


@pytest.mark.parametrize("fails", [None, "Broken"])
def test_notes_are_written_with_the_end_itself(engine: Stage, fails: str | None) -> None:
    """In one append: nobody sees one without the other, and it costs no request more."""
    appends = []
    for notes in (None, MEASURED):
        before = engine.calls["runs.append"]
        run_id = engine.run(program("a", said={"fails": fails, "notes": notes}), ask("gate"))
        appends.append(engine.calls["runs.append"] - before)
        noted = [number for number, one in enumerate(engine.events(run_id)) if one.type is EventType.RUN_NOTED]
        assert len(noted) == (notes is not None)
    assert appends[0] == appends[1]
    end = EventType.STEP_COMPLETED if fails is None else EventType.STEP_FAILED
    assert engine.events(run_id)[noted[0] + 1].type is end


def test_a_crash_before_the_end_is_written_notes_nothing(engine: Stage) -> None:
    """Notes are of ends that count."""
    run_id = engine.trigger(engine.define(program("a", said={"notes": MEASURED})))
    engine.die_at("before", "runs.append", 2)
    engine.sweep(times=2)
    assert engine.status(run_id) is RunStatus.CRASHED
    assert listed(engine, run_id) is None


def test_notes_outlast_a_snapshot(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that folds on from one knows what was noted before it."""
    monkeypatch.setattr(snapshot, "FIRST_AT", 4)
    steps = [call(f"s{index}", "a") for index in range(9)]
    run_id = engine.run(program("a", said={"notes": MEASURED}), *steps, ask("gate", "s0"))
    assert engine.stores["runs"].load(run_id).snapshot is not None
    engine.services.answer_step(PROJECT, run_id, "gate", approved=True, by="ada")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert listed(engine, run_id) == MEASURED


def test_late_notes_are_refused_with_their_end(engine: Stage) -> None:
    """They change nothing."""
    run_id = engine.trigger(engine.define(parked("a", said={"notes": MEASURED})))
    engine.play(60)
    token = engine.state(run_id).steps["a"].token
    engine.services.cancel_run(PROJECT, run_id, "ada")
    engine.services.settle_parked(run_id, "a", token, {"notes": MEASURED})
    engine.play(60)
    assert listed(engine, run_id) is None


def test_an_items_notes_are_of_its_own_run(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a map's items that are runs are not mixed into the run above; those inside it are its own."""
    inner = program("a", said={"notes": MEASURED})
    for above, expected in ((10, MEASURED), (1, None)):
        monkeypatch.setattr(attempts, "FANOUT_ABOVE", above)
        run_id = engine.run(step("each", kind="map", config={"items": [1, 2]}, body=(inner,)))
        assert engine.status(run_id) is RunStatus.COMPLETED
        assert listed(engine, run_id) == expected


def test_a_run_that_is_run_again_takes_no_notes_along(engine: Stage) -> None:
    """What was measured is of one run; the names that it was triggered with are of both, and lists find it by these alone."""
    notes = {"execution": {"rows": "x" * 3000}}
    job = engine.define(program("a", said={"notes": notes, "fails": "Broken"}), ask("gate"), terms=FOLLOWED)
    run_id = engine.submit(job, metadata={"by": "ada"}).run.id
    engine.play()
    assert listed(engine, run_id) == {"by": "ada", **notes}
    again = engine.services.retry_run(PROJECT, run_id, "full", None, "ada")
    assert again.asked["metadata"] == {"by": "ada"}
    found = engine.stores["runs"].browse(RunList(PROJECT, label="meta:by=ada"), 10).runs
    assert {run.id for run in found} == {run_id, again.id}


@pytest.mark.parametrize(("length", "kept"), [(4096 - len('{"n":""}'), True), (4096 - len('{"n":""}') + 1, False)])
def test_notes_above_their_bound_are_left_out(
    engine: Stage, length: int, kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Lists carry them; the end itself counts all the same, and the log of the engine says so."""
    with caplog.at_level(logging.ERROR, "quintet"):
        run_id = engine.run(program("a", said={"notes": {"n": "x" * length}}))
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (listed(engine, run_id) is not None) == kept
    assert ("are left out" in caplog.text) != kept
