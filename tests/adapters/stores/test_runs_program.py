"""Ports Runs and Records: what a run's own program leaves: signs of life, checkpoints, outputs; and journals read in stretches."""

import pytest

from quintet.domain.errors import TooLarge
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Creation, Runs

from .conftest import Stores
from .samples import a_run, after, created, progress


@pytest.fixture
def records(stores: Stores) -> Records:
    """An empty Records."""
    return stores.records()


def test_the_last_sign_of_life_counts(runs: Runs) -> None:
    """It moves on only: a beat that comes late changes nothing. Who never beat has none."""
    run = a_run()
    runs.create(Creation(run, created()))
    assert runs.beaten(run.id) is None
    for seconds in (5, 9.5, 7):
        runs.beat(run.id, after(seconds))
    assert runs.beaten(run.id) == after(9.5)
    assert runs.beaten("nobody") is None


def test_signs_of_life_are_no_part_of_the_journal(runs: Runs) -> None:
    """Neither the run, nor its tail, nor its snapshot knows of them."""
    run = a_run()
    runs.create(Creation(run, created()))
    runs.beat(run.id, after(1))
    assert list(runs.load(run.id).events) == runs.tail(run.id, 0) == created()
    runs.append(run.id, 2, [progress(3)])
    runs.keep_snapshot(run.id, 2, {"at": 2})
    runs.beat(run.id, after(2))
    stored = runs.load(run.id)
    assert (stored.snapshot, list(stored.events)) == ({"at": 2}, [progress(3)])


def test_records_are_paged_in_the_order_of_their_ids(records: Records) -> None:
    """Of one run and one kind; the same id again replaces."""
    for name in ("b", "a", "d", "c"):
        records.put("r-1", "checkpoint", name, {"name": name})
    records.put("r-1", "output", "b", {"output": True})
    records.put("r-2", "checkpoint", "b", {"other": True})
    records.put("r-1", "checkpoint", "b", {"größe": [1, 2.5, None]})
    everything = [
        ("a", {"name": "a"}),
        ("b", {"größe": [1, 2.5, None]}),
        ("c", {"name": "c"}),
        ("d", {"name": "d"}),
    ]
    assert records.page("r-1", "checkpoint", 9) == everything
    assert records.page("r-1", "checkpoint", 2) == everything[:2]
    assert records.page("r-1", "checkpoint", 9, "b") == everything[2:]
    assert records.page("r-1", "checkpoint", 9, "d") == records.page("r-1", "checkpoint", 0) == []
    assert records.page("nobody", "checkpoint", 9) == []


def test_a_record_above_the_bound_is_refused(records: Records) -> None:
    """What no item holds is TooLarge, and what was kept stays."""
    records.put("r", "output", "o", {"text": "x" * 370_000})
    with pytest.raises(TooLarge):
        records.put("r", "output", "o", {"text": "x" * 380_000})
    assert len(records.page("r", "output", 1)[0][1]["text"]) == 370_000


def test_a_journal_is_read_in_stretches(runs: Runs) -> None:
    """From any number on as many events as asked for, wherever items begin and end."""
    run = a_run()
    runs.create(Creation(run, created()))
    base = 2
    for length in (1, 3, 1, 70, 2):
        runs.append(run.id, base, [progress(base + place) for place in range(length)])
        base += length
    everything = runs.tail(run.id, 0)
    for after_ in range(0, base + 2, 5):
        for limit in (0, 1, 3, 60, 500):
            assert runs.tail(run.id, after_, limit) == everything[after_ : after_ + limit]
    assert runs.tail("nobody", 0, 5) == []
