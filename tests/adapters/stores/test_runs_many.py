"""Port Runs: many creations at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.domain.errors import TooLarge
from quintet.domain.run import Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import (
    AlreadyThere,
    Claims,
    Creation,
    Guard,
    Rate,
    RateExceeded,
    RunList,
    Runs,
)

from .conftest import Stores
from .samples import a_run, after, created, progress

NOTHING = Claims()
RATE = Rate("minute", 5, 60)


def _creation(claims: Claims = NOTHING, **changes: Any) -> Creation:
    return Creation(a_run(**changes), created(), claims=claims)


def _words(answers: list[Exception | None]) -> list[str]:
    return ["made" if answer is None else type(answer).__name__ for answer in answers]


def test_many_are_written_as_one_would_be(runs: Runs) -> None:
    """Runs, beginnings, leases, queues, due times, labels and counters are those of single creations."""
    batch = Claims(labels=("batch:b",))
    started = [Creation(a_run(), created(), after(60), after(60), batch) for _ in range(60)]
    queued = [
        Creation(a_run(RunStatus.QUEUED, slots=(Slot("s", 1),), group="g"), created(), None, after(5), batch)
        for _ in range(4)
    ]
    long = Creation(
        a_run(project="other"), [*created(), *(progress(number, 50_000) for number in range(3, 9))], after(60)
    )
    assert runs.create_many([*started, *queued, long]) == [None] * 65
    for one in [started[0], started[59], long]:
        stored = runs.load(one.run.id)
        assert (stored.run, stored.active, stored.lease_until) == (one.run, True, after(60))
        assert list(stored.events) == list(one.events)
    assert runs.next_queued("s") == queued[0].run.id
    assert [lapse.run_id for lapse in runs.due(after(5), 9)] == [one.run.id for one in queued]
    assert (runs.count("acme", None), runs.count("acme", [RunStatus.QUEUED]), runs.count("other", None)) == (64, 4, 1)
    assert runs.counts("acme", "g")[RunStatus.QUEUED] == 4
    labelled = runs.browse(RunList("acme", label="batch:b"), 100).runs
    assert [run.id for run in labelled] == [one.run.id for one in [*started, *queued]][::-1]


def test_none_is_none(runs: Runs) -> None:
    """Nothing asked, nothing done."""
    assert runs.create_many([]) == []


def test_each_gets_its_own_answer(runs: Runs) -> None:
    """What one is refused by does not touch the others, before or behind it."""
    there = _creation(Claims((Guard("held", mark="m"),)), slots=(Slot("full", 1),))
    runs.create(there)
    many = [
        _creation(Claims((Guard("a"),), (RATE,))),
        _creation(Claims((Guard("held"),), (RATE,))),
        replace(there, claims=Claims()),
        _creation(slots=(Slot("full", 1),)),
        _creation(Claims((Guard("b"),), (RATE,))),
        _creation(slots=(Slot("free", 1),)),
    ]
    answers = runs.create_many(many)
    assert _words(answers) == ["made", "AlreadyThere", "AlreadyThere", "SlotTaken", "made", "made"]
    held = answers[1]
    assert isinstance(held, AlreadyThere)
    assert (held.run_id, held.guard, held.mark) == (there.run.id, "held", "m")
    assert runs.spent([RATE], after(1)) == [(2, after(60))]
    assert runs.count("acme", None) == 4


def test_the_first_of_one_name_is_made(runs: Runs) -> None:
    """Of many under one guard, or of one id, the first is made and the others are told of it."""
    same = [_creation(Claims((Guard("g", after(60), f"m{place}"),))) for place in range(40)]
    answers = runs.create_many([*same, same[0], _creation()])
    assert _words(answers) == ["made", *["AlreadyThere"] * 40, "made"]
    known = answers[7]
    assert isinstance(known, AlreadyThere)
    assert (known.run_id, known.guard, known.mark) == (same[0].run.id, "g", "m0")
    assert runs.count("acme", None) == 2


def test_a_name_may_go_from_hand_to_hand_in_one_request(runs: Runs) -> None:
    """Later ones may take over what an earlier one of the same many holds no longer."""
    first = _creation(Claims((Guard("g", after(5)),)))
    second = _creation(Claims((Guard("g"),)), created_at=after(5))
    third = _creation(Claims((Guard("g"),)), created_at=after(6))
    answers = runs.create_many([first, second, third])
    assert _words(answers) == ["made", "made", "AlreadyThere"]
    assert isinstance(answers[2], AlreadyThere)
    assert answers[2].run_id == second.run.id


def test_they_are_served_in_their_order(runs: Runs) -> None:
    """One that takes over an earlier one's name comes before those behind it all the same."""
    first = _creation(Claims((Guard("g", after(5)),)))
    second = _creation(Claims((Guard("g"),)), created_at=after(5), slots=(Slot("cap", 1),))
    third = _creation(created_at=after(6), slots=(Slot("cap", 1),))
    assert _words(runs.create_many([first, second, third])) == ["made", "made", "SlotTaken"]


def test_many_fill_a_rate_and_a_slot_exactly(runs: Runs) -> None:
    """The first that fit are made; the others hear why not, in their places."""
    rated = [_creation(Claims((), (RATE,))) for _ in range(12)]
    capped = [_creation(slots=(Slot("cap", 3),)) for _ in range(5)]
    answers = runs.create_many([*rated, *capped])
    assert _words(answers) == [*["made"] * 5, *["RateExceeded"] * 7, *["made"] * 3, *["SlotTaken"] * 2]
    full = answers[5]
    assert isinstance(full, RateExceeded)
    assert (full.name, full.until) == ("minute", after(60))
    assert runs.spent([RATE], after(1)) == [(5, after(60))]
    later = runs.create_many([_creation(Claims((), (RATE,)), created_at=after(60)) for _ in range(6)])
    assert _words(later) == [*["made"] * 5, "RateExceeded"]


def test_one_that_is_too_large_does_not_keep_the_others(aws: Stores) -> None:
    """What no transaction holds is refused in its place."""
    huge = Creation(a_run(), [progress(1, 400_000)])
    labelled = _creation(Claims(labels=tuple(f"tag:{place}" for place in range(99))))
    answers = aws.runs().create_many([_creation(), huge, labelled, _creation()])
    assert _words(answers) == ["made", "TooLarge", "TooLarge", "made"]
    with pytest.raises(TooLarge):
        aws.runs().create(labelled)


def test_a_busy_store_is_the_answer_of_those_it_did_not_write(aws: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before is told as written; the rest hears when to come again."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    runs = aws.runs()
    many = [_creation() for _ in range(99 + 3)]
    sent: list[str] = []

    def refuse(**_: Any) -> None:
        sent.append("again")
        if len(sent) > 1:
            error = {"Error": {"Code": "TransactionCanceledException", "Message": "canceled"}}
            reasons = {"CancellationReasons": [{"Code": "TransactionConflict"}]}
            raise client("dynamodb").exceptions.TransactionCanceledException(error | reasons, "TransactWriteItems")

    events = client("dynamodb").meta.events
    events.register_first("before-call.dynamodb.TransactWriteItems", refuse)
    try:
        answers = runs.create_many(many)
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", refuse)
    assert _words(answers) == [*["made"] * 99, *["Throttled"] * 3]
    assert runs.count("acme", None) == 99


def test_racing_manies_fill_a_rate_exactly(runs: Runs) -> None:
    """However their transactions meet, together they are no more than the rate allows."""
    rate, slots = Rate("minute", 17, 60), (Slot("cap", 11),)

    def create(turn: int) -> list[str]:
        many = [_creation(Claims((), (rate,)), slots=slots if place % 2 else ()) for place in range(8)]
        return _words(runs.create_many(many))

    with ThreadPoolExecutor(5) as pool:
        words = [word for answers in pool.map(create, range(10)) for word in answers]
    assert words.count("made") == 17
    assert runs.spent([rate], after(1)) == [(17, after(60))]
    assert runs.count("acme", None) == 17


@pytest.mark.parametrize(
    ("claims", "most"), [(Claims(), 6), (Claims(labels=("batch:b",)), 11), (Claims((), (RATE,), ("batch:b",)), 0)]
)
def test_five_hundred_are_few_requests(aws: Stores, claims: Claims, most: int) -> None:
    """Plain creations go about a hundred to a transaction; a rate that is full costs reads, not a transaction for each."""
    runs = aws.runs()
    if claims.rates:
        for _ in range(5):
            runs.create(_creation(claims))
    sent: list[str] = []

    def answered(model: Any, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        sent.append(model.name)
        # moto copies the whole table for each part of a transaction: that many it would take minutes for.
        return (_Answered(), {}) if model.name == "TransactWriteItems" else None

    events = client("dynamodb").meta.events
    events.register_first("before-call.dynamodb", answered)
    try:
        runs.create_many([_creation(claims) for _ in range(500)])
    finally:
        events.unregister("before-call.dynamodb", answered)
    assert sent.count("TransactWriteItems") == most
    assert len(sent) <= 20


class _Answered:
    status_code = 200
