"""Runs on DynamoDB: the items that creations write, and what is asked of the store when they are refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.dynamodb.runs import DynamoRuns
from quintet.adapters.dynamodb.table import Table, key
from quintet.adapters.records import run_from_text, run_to_text
from quintet.domain.errors import Throttled
from quintet.domain.events import from_millis, to_millis
from quintet.domain.run import Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import (
    AlreadyThere,
    Change,
    Claims,
    Creation,
    Guard,
    Rate,
    RateExceeded,
    Replacement,
    RunList,
    SlotTaken,
)

from .conftest import Stores, make_table
from .samples import NOW, a_run, after, created, progress

Asked = Callable[[Callable[[], object]], list[tuple[str, Any]]]


@pytest.fixture
def table(aws: Stores) -> str:
    """An empty runs' table."""
    return make_table("RunsTable")


@pytest.fixture
def runs(table: str) -> DynamoRuns:
    """The store on it."""
    return DynamoRuns(table)


@pytest.fixture
def asked(aws: Stores) -> Iterator[Asked]:
    """Does something, and answers the requests that it made: operation and parameters."""
    events = client("dynamodb").meta.events
    found: list[tuple[str, Any]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        found.append((model.name, params))

    def act(work: Callable[[], object]) -> list[tuple[str, Any]]:
        found.clear()
        work()
        return list(found)

    events.register("provide-client-params.dynamodb", note)
    yield act
    events.unregister("provide-client-params.dynamodb", note)


def _written(params: dict[str, Any]) -> list[str]:
    items = [next(iter(one.values())) for one in params["TransactItems"]]
    return sorted((one.get("Item") or one["Key"])["pk"]["S"].partition("#")[0] for one in items)


def _refused(runs: DynamoRuns, creation: Creation) -> Callable[[], object]:
    def work() -> None:
        with pytest.raises((AlreadyThere, RateExceeded, SlotTaken)):
            runs.create(creation)

    return work


def test_a_run_without_claims_writes_its_item_and_a_counter(runs: DynamoRuns, asked: Asked) -> None:
    """What a run does not claim costs nothing; a group, a slot, a label, a guard, a rate are one item each."""
    plain = Creation(a_run(), created())
    ((_, params),) = asked(lambda: runs.create(plain))
    assert _written(params) == ["COUNT", "RUN"]
    claims = Claims((Guard("g"),), (Rate("r", 9, 60),), ("tag:a", "tag:b"))
    runs.create(Creation(a_run(), created(), claims=Claims(rates=claims.rates)))
    rich = Creation(a_run(slots=(Slot("s", 1),), group="group"), created(), claims=claims)
    ((_, params),) = asked(lambda: runs.create(rich))
    assert _written(params) == ["COUNT", "COUNT", "GUARD", "LABEL", "LABEL", "RATE", "RUN", "SLOT"]


def test_waiting_costs_a_run_without_queue_terms_nothing(runs: DynamoRuns, asked: Asked) -> None:
    """It is queued, admitted, and ended before its start by what it took before there were waiting slots."""
    queued = [a_run(RunStatus.QUEUED, slots=(Slot("s", 1),)) for _ in range(2)]
    for run in queued:
        ((_, params),) = asked(lambda run=run: runs.create(Creation(run, created())))
        assert _written(params) == ["COUNT", "RUN"]
    started = replace(queued[0], status=RunStatus.EXECUTING, started_at=after(1))
    _, (_, params) = asked(lambda: runs.admit(started, 2, [progress(3)], after(60)))
    assert _written(params) == ["COUNT", "RUN", "RUN", "SLOT"]
    over = replace(queued[1], status=RunStatus.CANCELED, ended_at=after(2))
    ((_, params),) = asked(lambda: runs.append(over.id, 2, [progress(3)], Change(over, RunStatus.QUEUED)))
    assert _written(params) == ["COUNT", "RUN", "RUN"]


def test_a_waiting_slot_is_one_item_more(runs: DynamoRuns, asked: Asked) -> None:
    """Of the transactions that make a run wait, start it, or end it before; who takes another's place looks once, and writes once."""
    waits = (Slot("w", 1),)
    first, second = (a_run(RunStatus.QUEUED, waits=waits) for _ in range(2))
    ((_, params),) = asked(lambda: runs.create(Creation(first, created())))
    assert _written(params) == ["COUNT", "RUN", "SLOT"]
    over = replace(first, status=RunStatus.CANCELED, ended_at=after(1))
    instead = Replacement(2, [progress(3)], Change(over, RunStatus.QUEUED))
    (look, _), (_, params) = asked(lambda: runs.create(Creation(second, created(), replaces=instead)))
    assert look == "BatchGetItem"
    assert _written(params) == ["COUNT", "RUN", "RUN", "RUN", "SLOT"]
    started = replace(second, status=RunStatus.EXECUTING, started_at=after(2))
    _, (_, params) = asked(lambda: runs.admit(started, 2, [progress(3)], after(60)))
    assert _written(params) == ["COUNT", "RUN", "RUN", "SLOT"]


def test_the_items_of_a_map_are_in_no_jobs_list(table: str, runs: DynamoRuns) -> None:
    """Ten thousand items cost the job's index nothing; a run of the job is in it."""
    item, run = a_run(item=3, project="acme/r/1"), a_run()
    for one in (item, run):
        runs.create(Creation(one, created()))
    found = client("dynamodb").scan(TableName=table, IndexName="by_job")["Items"]
    assert [entry["id"]["S"] for entry in found] == [run.id]


def test_only_followed_ends_are_in_the_index_of_ends(table: str, runs: DynamoRuns) -> None:
    """An entry holds its keys and the outcome; who isn't followed, or has not ended, has none."""
    for follows in (True, False):
        run = a_run(follows=follows, started_at=after(1))
        runs.create(Creation(run, created()))
        runs.create(Creation(a_run(follows=follows), created()))
        over = replace(run, status=RunStatus.FAILED, ended_at=after(3.5))
        runs.append(run.id, 2, [progress(3)], Change(over, RunStatus.EXECUTING))
    (entry,) = client("dynamodb").scan(TableName=table, IndexName="by_end")["Items"]
    assert entry.keys() == {"pk", "sk", "job_id", "end_at", "outcome"}
    assert entry["outcome"] == {"S": "failed 2500"}


def test_what_ends_by_time_carries_its_ttl(table: str, runs: DynamoRuns) -> None:
    """Guards and windows that are over go by themselves, a second after their end; a guard for good stays."""
    claims = Claims((Guard("ends", after(10.5)), Guard("stays")), (Rate("r", 9, 60),))
    runs.create(Creation(a_run(), created(), claims=claims))
    store = Table(table)
    ends, stays, rate = (
        store.get(*place) for place in (("GUARD#ends", "#GUARD"), ("GUARD#stays", "#GUARD"), ("RATE#r", "#RATE"))
    )
    assert ends is not None
    assert stays is not None
    assert rate is not None
    assert int(ends["ttl"]["N"]) == to_millis(after(10.5)) // 1000 + 1
    assert "ttl" not in stays
    assert int(rate["ttl"]["N"]) == to_millis(after(60)) // 1000 + 1


def test_a_count_in_an_open_window_needs_no_look(runs: DynamoRuns, asked: Asked) -> None:
    """The first of a window looks once; those after it write at once; one that is refused looks, and writes nothing more."""
    rated = Claims(rates=(Rate("r", 2, 60),))
    look = ["TransactWriteItems", "BatchGetItem"]
    assert [name for name, _ in asked(lambda: runs.create(Creation(a_run(), created(), claims=rated)))] == [
        *look,
        "TransactWriteItems",
    ]
    assert [name for name, _ in asked(lambda: runs.create(Creation(a_run(), created(), claims=rated)))] == look[:1]
    assert [name for name, _ in asked(_refused(runs, Creation(a_run(), created(), claims=rated)))] == look


def test_a_full_slot_alone_needs_no_look(runs: DynamoRuns, asked: Asked) -> None:
    """A run that claims nothing else is refused by one request."""
    full = (Slot("s", 1),)
    runs.create(Creation(a_run(slots=full), created()))
    found = asked(_refused(runs, Creation(a_run(slots=full), created())))
    assert [name for name, _ in found] == ["TransactWriteItems"]


def test_claims_that_are_always_lost_end_in_throttling(runs: DynamoRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused by what nobody can see any more tries again, a bounded number of times."""
    events = client("dynamodb").meta.events
    lost = 0

    def lose(**_: Any) -> None:
        nonlocal lost
        lost += 1
        error = {"Error": {"Code": "TransactionCanceledException", "Message": "canceled"}}
        reasons = {"CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}, {"Code": "None"}]}
        raise client("dynamodb").exceptions.TransactionCanceledException(error | reasons, "TransactWriteItems")

    events.register_first("before-call.dynamodb.TransactWriteItems", lose)
    guarded = Creation(a_run(), created(), claims=Claims((Guard("g"),)))
    try:
        with pytest.raises(Throttled):
            runs.create(guarded)
        (answer,) = runs.create_many([guarded])
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", lose)
    assert isinstance(answer, Throttled)
    assert lost < 100


def test_a_run_from_before_is_read_as_it_was(runs: DynamoRuns, table: str) -> None:
    """Faces without the fields that came later have their defaults; nothing lists them by job, and they end as others do."""
    old = (
        '{"j":"job-1","v":3,"w":"version-3","st":"executing","c":1772366400123,"u":1772366400123,"x":"ext",'
        '"t":["webhook","hook","h-1"],"sl":[["one",1]],"pr":4}'
    )
    run = run_from_text("r-1", "acme", old)
    assert (run.created_at, run.slots, run.waits, run.priority, run.asked) == (NOW, (Slot("one", 1),), (), 4, {})
    assert (run.scheduled_at, run.expires_at, run.group, run.follows) == (None, None, None, False)
    item = {"id": {"S": "r-1"}, "project": {"S": "acme"}, "project_status": {"S": "acme#executing"}}
    item |= {"view": {"S": old}, "epoch": {"N": "1"}, "active": {"BOOL": True}}
    Table(table).put(key("RUN#r-1", "#META") | item)
    assert runs.get("r-1") == run
    over = replace(run, status=RunStatus.COMPLETED, ended_at=from_millis(1772366400999))
    runs.append("r-1", 0, created(), Change(over, RunStatus.EXECUTING))
    assert runs.browse(RunList("acme"), 9).runs == [over]


def test_defaults_are_left_out_of_a_runs_face() -> None:
    """A run with nothing but what every run has takes as little as before."""
    assert run_to_text(a_run()) == (
        '{"j":"job-1","v":3,"w":"version-3","st":"executing","c":1772366400123,"u":1772366400123}'
    )
