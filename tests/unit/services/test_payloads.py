"""Large payloads live outside the journal."""

from typing import Any

import pytest
from engine_stage import PROJECT, Stage, call, step, url

from quintet.domain.definition import Plan
from quintet.domain.errors import Invalid
from quintet.domain.status import RunStatus
from quintet.services.payloads import INLINE_BYTES, MARK

LARGE = "x" * (INLINE_BYTES + 1)


def stored_bytes(engine: Stage, run_id: str) -> int:
    """The length of the run's journal."""
    return sum(len(str(event.data)) for event in engine.events(run_id))


def test_a_large_input_comes_back_and_keeps_the_journal_small(engine: Stage) -> None:
    """Expressions and readers see the value; the journal holds a reference."""
    run_id = engine.run(step("a", config={"values": {"n": "{% $length(input.text) %}"}}), given={"text": LARGE})
    assert engine.result(run_id, "a") == {"n": len(LARGE)}
    stored = engine.state(run_id).input
    assert engine.services.payloads.get(stored) == {"text": LARGE}
    assert engine.services.payloads.size(stored) == len(LARGE) + len('{"text":""}')
    assert engine.services.payloads.link(stored)
    assert stored_bytes(engine, run_id) < 2000


def test_a_large_result_is_read_by_the_next_step(engine: Stage) -> None:
    """An answer above the bound passes from step to step by reference."""
    engine.http.on(url("big"), (200, {"rows": [LARGE, LARGE]}))
    run_id = engine.run(
        call("big"), step("size", "big", config={"values": {"n": "{% $length(steps.big.body.rows[1]) %}"}})
    )
    assert engine.result(run_id, "size") == {"n": len(LARGE)}
    assert engine.result(run_id, "big")["body"] == {"rows": [LARGE, LARGE]}
    assert stored_bytes(engine, run_id) < 3000


def test_many_large_items_of_a_map(engine: Stage) -> None:
    """A map's list and its gathered results may be large as well."""
    items = [{"n": index, "text": "y" * 4000} for index in range(20)]
    each = step(
        "each",
        kind="map",
        config={"items": "{% input %}"},
        body=(step("i", config={"values": {"item": "{% item %}"}}),),
    )
    run_id = engine.run(each, given=items)
    assert [found["item"] for found in engine.result(run_id, "each")] == items


def test_the_bound_itself_stays_inside(engine: Stage) -> None:
    """Exactly the bound is kept in the journal, one byte more is not."""
    inside = "x" * (INLINE_BYTES - 2)
    assert engine.services.payloads.put(inside) == inside
    assert engine.services.payloads.link(engine.services.payloads.put(inside + "x"))


@pytest.mark.parametrize(
    "value", [None, False, 0, "", [], {}, {MARK: "payloads/secret.json"}, {MARK: None}, "é\u2028", 1e300]
)
def test_any_value_comes_back(engine: Stage, value: Any) -> None:
    """Also one that looks like a reference of ours: nobody reads foreign blobs that way."""
    run_id = engine.trigger(engine.define(call("a")), value)
    assert engine.services.payloads.get(engine.state(run_id).input) == value


def test_a_lone_surrogate_in_the_input_is_kept_or_refused(engine: Stage) -> None:
    r"""JSON may hold "\ud800": the run gets it, or the caller hears that it can't be."""
    job = engine.define(step("a", config={"values": {"text": "{% input.text %}"}}))
    try:
        run_id = engine.trigger(job, {"text": "\ud800"})
    except Invalid:
        return
    engine.play()
    assert engine.result(run_id, "a") == {"text": "\ud800"}


def test_a_lone_surrogate_in_an_answer_is_no_fault_of_the_engine(engine: Stage) -> None:
    """What an endpoint answers is kept, or fails the step for good with a reason."""
    engine.http.on(url("a"), (200, {"text": "\ud800"}))
    run_id = engine.run(call("a"))
    run = engine.of(run_id)
    assert run.status is RunStatus.COMPLETED or (run.error or {}).get("type") != "EngineFault"


def test_a_lone_surrogate_made_by_a_pure_step_does_not_kill_the_burst(engine: Stage) -> None:
    """An expression can cut a pair in two; the run goes on or fails, but its burst survives."""
    engine.stores["jobs"].count(PROJECT, "automations", None)
    job = engine.services.define.define(
        PROJECT, "automations", "job", Plan((step("a", config={"values": {"x": '{% "\\ud800" %}'}}),)), {}
    )
    run_id = engine.trigger(job)
    engine.play()
    assert engine.status(run_id).terminal
