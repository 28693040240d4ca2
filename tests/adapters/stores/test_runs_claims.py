"""Port Runs: what a creation claims beside its slots."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from quintet.domain.errors import NotFound
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import (
    AlreadyThere,
    Change,
    Claims,
    Creation,
    Guard,
    Rate,
    RateExceeded,
    RunList,
    Runs,
    SlotTaken,
)

from .samples import NOW, a_run, after, created, progress

MINUTE = Rate("job#minute", 2, 60)
ONE = (Slot("one", 1),)


def _create(runs: Runs, *guards: Guard, rates: tuple[Rate, ...] = (), **changes: Any) -> Run:
    run = a_run(**changes)
    runs.create(Creation(run, created(), claims=Claims(guards, rates)))
    return run


def _refusal(runs: Runs, *guards: Guard, rates: tuple[Rate, ...] = (), **changes: Any) -> Exception:
    run = a_run(**changes)
    with pytest.raises((AlreadyThere, RateExceeded, SlotTaken)) as refusal:
        runs.create(Creation(run, created(), claims=Claims(guards, rates, ("tag:a",))))
    with pytest.raises(NotFound):
        runs.get(run.id)
    return refusal.value


# --- guards ----------------------------------------------------------------------------------------------------------------------


def test_who_meets_a_guard_learns_its_mark(runs: Runs) -> None:
    """The refusal names the run, the guard, and what it was made with."""
    first = _create(runs, Guard("idem#k", mark="hash-1"))
    refusal = _refusal(runs, Guard("idem#k", mark="hash-2"))
    assert isinstance(refusal, AlreadyThere)
    assert (refusal.run_id, refusal.guard, refusal.mark) == (first.id, "idem#k", "hash-1")


def test_an_own_id_is_no_guard(runs: Runs) -> None:
    """A second creation of the same run says that the run is there, whatever else it claims."""
    run = _create(runs, Guard("g", mark="m"), rates=(Rate("r", 1, 60),))
    with pytest.raises(AlreadyThere) as refusal:
        runs.create(Creation(run, created(), claims=Claims((Guard("g"),), (Rate("r", 1, 60),))))
    assert (refusal.value.run_id, refusal.value.guard, refusal.value.mark) == (run.id, None, None)


def test_the_first_guard_in_order_answers(runs: Runs) -> None:
    """Of several held guards the creation's own order counts, not the stores'."""
    a, b = _create(runs, Guard("a")), _create(runs, Guard("b"))
    for guards, holder in [(("a", "b"), a), (("b", "a"), b), (("free", "b"), b)]:
        refusal = _refusal(runs, *(Guard(name) for name in guards))
        assert isinstance(refusal, AlreadyThere)
        assert refusal.run_id == holder.id
    _create(runs, Guard("free"))


def test_a_guard_can_be_taken_over_from_the_run_that_is_named(runs: Runs) -> None:
    """A guard goes to a creation that names its holder, with its own mark and time; a third who names the old holder is refused."""
    first = _create(runs, Guard("batch", after(3600), "old"))
    second = _create(runs, Guard("batch", after(7200), "new", over=first.id))
    refusal = _refusal(runs, Guard("batch", after(7200), over=first.id), created_at=after(3700))
    assert isinstance(refusal, AlreadyThere)
    assert (refusal.run_id, refusal.mark) == (second.id, "new")


def test_a_guard_ends_at_its_time(runs: Runs) -> None:
    """Until its last millisecond it holds; from `until` on it is free."""
    _create(runs, Guard("g", after(10)))
    _refusal(runs, Guard("g", after(20)), created_at=after(9.999))
    _create(runs, Guard("g"), created_at=after(10))
    _refusal(runs, Guard("g"), created_at=after(99_999))


# --- rates -----------------------------------------------------------------------------------------------------------------------


def test_a_window_takes_as_many_as_it_may(runs: Runs) -> None:
    """A window begins with its first count; a refusal says when it ends; the next begins with the first count after it."""
    _create(runs, rates=(MINUTE,))
    _create(runs, rates=(MINUTE,), created_at=after(50))
    refusal = _refusal(runs, rates=(MINUTE,), created_at=after(59.999))
    assert isinstance(refusal, RateExceeded)
    assert (refusal.name, refusal.until) == ("job#minute", after(60))
    _create(runs, rates=(MINUTE,), created_at=after(75))
    _create(runs, rates=(MINUTE,), created_at=after(134))
    refusal = _refusal(runs, rates=(MINUTE,), created_at=after(134))
    assert isinstance(refusal, RateExceeded)
    assert refusal.until == after(135)


def test_a_refused_creation_counts_under_none_of_its_rates(runs: Runs) -> None:
    """All or nothing: a full rate leaves the others, and the guards, as they were."""
    wide, narrow = Rate("wide", 2, 60), Rate("narrow", 1, 60)
    _create(runs, rates=(wide, narrow))
    refusal = _refusal(runs, Guard("g"), rates=(wide, narrow))
    assert isinstance(refusal, RateExceeded)
    assert refusal.name == "narrow"
    _create(runs, Guard("g"), rates=(wide,))
    assert runs.spent([wide, narrow, Rate("other", 1, 1)], after(1)) == [(2, after(60)), (1, after(60)), (0, after(1))]
    assert runs.browse(RunList("acme", label="tag:a"), 10).runs == []


def test_a_rate_may_be_changed_while_its_window_is_open(runs: Runs) -> None:
    """What is asked now counts: a lower bound refuses at once, a higher one lets in."""
    _create(runs, rates=(MINUTE,))
    assert isinstance(_refusal(runs, rates=(replace(MINUTE, most=1),)), RateExceeded)
    _create(runs, rates=(replace(MINUTE, most=3),))
    _create(runs, rates=(replace(MINUTE, most=3),))
    assert runs.spent([MINUTE], NOW) == [(3, after(60))]
    assert runs.spent([MINUTE], after(60)) == [(0, after(60))]


def test_guards_answer_before_rates_and_rates_before_slots(runs: Runs) -> None:
    """Of several reasons the first in this order is told."""
    rate = Rate("r", 1, 60)
    first = _create(runs, Guard("g"), rates=(rate,), slots=ONE)
    everything = _refusal(runs, Guard("g"), rates=(rate,), slots=ONE)
    assert isinstance(everything, AlreadyThere)
    assert everything.run_id == first.id
    assert isinstance(_refusal(runs, Guard("h"), rates=(rate,), slots=ONE), RateExceeded)
    assert isinstance(_refusal(runs, Guard("h"), rates=(Rate("s", 1, 60),), slots=ONE), SlotTaken)


# --- claims of a run that exists -------------------------------------------------------------------------------------------------


def test_a_run_can_claim_later(runs: Runs) -> None:
    """A run that takes another trigger along claims for it what a creation would have."""
    run = _create(runs)
    runs.claim(run.id, Claims((Guard("g", after(10), "m"),), (MINUTE,), ("tag:late",)), after(1))
    runs.claim(run.id, Claims((), (MINUTE,)), after(2))
    assert runs.browse(RunList("acme", label="tag:late"), 10).runs == [run]
    assert runs.spent([MINUTE], after(3)) == [(2, after(61))]
    with pytest.raises(AlreadyThere) as known:
        runs.claim(_create(runs).id, Claims((Guard("g"),), (MINUTE,)), after(3))
    assert (known.value.run_id, known.value.guard, known.value.mark) == (run.id, "g", "m")
    with pytest.raises(RateExceeded) as full:
        runs.claim(run.id, Claims((Guard("g", over=run.id), Guard("h")), (MINUTE,)), after(3))
    assert full.value.until == after(61)
    _create(runs, Guard("h"))


def test_a_label_for_nobody_is_not_found(runs: Runs) -> None:
    """A label belongs to a run's project, so the run must be there."""
    with pytest.raises(NotFound):
        runs.claim("nobody", Claims(labels=("tag:a",)), NOW)


# --- slots that refuse -----------------------------------------------------------------------------------------------------------

SOLO = (Slot("solo", 1, refuses=True), Slot("wide", 1))


def test_a_slot_that_refuses_is_named_first(runs: Runs) -> None:
    """A run that should start finds it full, and that is what it is told; one that starts later asks for it then."""
    first = _create(runs, slots=SOLO)
    refusal = _refusal(runs, status=RunStatus.EXECUTING, slots=SOLO)
    assert isinstance(refusal, SlotTaken)
    assert str(refusal) == "solo"
    later = _create(runs, status=RunStatus.DELAYED, slots=SOLO)
    started = replace(later, status=RunStatus.EXECUTING, started_at=after(1))
    with pytest.raises(SlotTaken, match="solo"):
        runs.admit(started, 2, [progress(3)], after(9))
    _end(runs, first)
    assert runs.admit(started, 2, [progress(3)], after(9)) == 1


def test_a_run_with_its_refusing_slot_queues_for_the_others(runs: Runs) -> None:
    """It stands in the queue of the slot that can be waited for, and is admitted with both."""
    holder = _create(runs, slots=SOLO[1:])
    queued = _create(runs, status=RunStatus.QUEUED, slots=SOLO)
    assert (runs.next_queued("solo"), runs.next_queued("wide")) == (None, queued.id)
    started = replace(queued, status=RunStatus.EXECUTING, started_at=after(1))
    with pytest.raises(SlotTaken):
        runs.admit(started, 2, [progress(3)], after(9))
    _end(runs, holder)
    assert runs.admit(started, 2, [progress(3)], after(9)) == 1
    _end(runs, runs.get(queued.id), 3)
    _create(runs, slots=SOLO)


def _end(runs: Runs, run: Run, base: int = 2) -> None:
    ended = replace(run, status=RunStatus.CANCELED, ended_at=after(9))
    runs.append(run.id, base, [progress(base + 1)], Change(ended, run.status))


# --- races -----------------------------------------------------------------------------------------------------------------------


def test_two_hundred_racing_creations_fill_a_window_exactly(runs: Runs) -> None:
    """Of two hundred at once, some after the window's end, each window takes what it may and the others hear when to come again."""
    rate = Rate("minute", 7, 60)

    def create(place: int) -> datetime | None:
        try:
            _create(runs, rates=(rate,), created_at=after(60 if place >= 100 else 0))
        except RateExceeded as full:
            return full.until
        return None

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for half in (range(100), range(100, 200)) for answer in list(pool.map(create, half))]
    assert [answers[:100].count(None), answers[100:].count(None)] == [7, 7]
    assert {answer for answer in answers if answer} == {after(60), after(120)}
    assert runs.count("acme", None) == 14


def test_two_hundred_racing_creations_under_several_claims(runs: Runs) -> None:
    """Names, rates and slots at once: no more than each allows, nothing claimed by who was refused, one answer for each name."""
    rates, slots = (Rate("wide", 40, 60), Rate("narrow", 9, 60)), (Slot("cap", 6),)

    def create(place: int) -> tuple[str, str]:
        try:
            return "made", _create(runs, Guard(f"name#{place % 50}"), rates=rates, slots=slots).id
        except AlreadyThere as known:
            return "known", known.run_id
        except (RateExceeded, SlotTaken) as full:
            return type(full).__name__, ""

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(200)))
    made = [run_id for how, run_id in answers if how == "made"]
    assert len(made) == 6
    assert {run_id for how, run_id in answers if how == "known"} <= set(made)
    assert sorted(run.id for run in runs.page("acme", None, 50, 0)) == sorted(made)
    assert runs.spent(rates, NOW) == [(6, after(60)), (6, after(60))]
    assert {how for how, _ in answers} == {"made", "known", "SlotTaken"}
