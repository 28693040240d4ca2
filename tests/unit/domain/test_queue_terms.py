"""Queue terms as data: which slots a run holds while it waits, and whether one more is taken."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from quintet.adapters.job_records import job_from_text, job_to_text
from quintet.adapters.standing import admitted, places_passed_on, slots_freed, slots_taken
from quintet.domain.errors import Conflict, NoQueue, QueueFull
from quintet.domain.job import Job
from quintet.domain.limits import accepts, slots, solo, waiting_slots
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.domain.terms import QueueStrategy, Terms

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REPLACE, PARTITIONED = QueueStrategy.REPLACE, QueueStrategy.PARTITIONED_REPLACE
CAP, DOOR = Slot("cap", 1), Slot("cap", 1, refuses=True)
PART, WHOLE = Slot("part", 1), Slot("whole", 2)


def job_of(**terms: Any) -> Job:
    """A job on these terms."""
    return Job("j", "p", "pipelines", "n", 1, "v", NOW, NOW, terms=Terms(**terms))


def run_of(status: RunStatus, **fields: Any) -> Run:
    """A run that needs CAP to be active and waits in PART and WHOLE."""
    return Run("r", "p", "j", 1, "v", status, NOW, NOW, slots=(CAP,), waits=(PART, WHOLE), **fields)


@pytest.mark.parametrize(
    ("terms", "limits"),
    [
        ({}, []),
        ({"queue_limit": 0}, []),
        ({"queue_limit": 3}, [3]),
        ({"queue_limit": 3, "queue_partition_limit": 2}, [3]),
        ({"queue_strategy": REPLACE}, [1]),
        ({"queue_strategy": REPLACE, "queue_limit": 5}, [1]),
        ({"queue_strategy": REPLACE, "queue_limit": 0}, []),
        ({"queue_strategy": PARTITIONED}, [1]),
        ({"queue_strategy": PARTITIONED, "queue_partition_limit": 2}, [2]),
        ({"queue_strategy": PARTITIONED, "queue_limit": 4}, [1, 4]),
        ({"queue_strategy": PARTITIONED, "queue_limit": 0}, []),
    ],
)
def test_a_run_waits_in_the_slots_of_its_jobs_strategy(terms: dict[str, Any], limits: list[int]) -> None:
    """The partition's first, since it is there that another makes room."""
    assert [slot.limit for slot in waiting_slots(job_of(**terms), "a")] == limits


def test_only_partitions_tell_slots_apart() -> None:
    """No partition is one too, and other than one with an empty name; all strategies count the whole queue by one name."""
    parts = [next(waiting_slots(job_of(queue_strategy=PARTITIONED), name)).name for name in ("a", "b", "", None)]
    assert len(set(parts)) == 4
    assert all(len(name) < 100 for name in [next(waiting_slots(job_of(queue_strategy=PARTITIONED), "x" * 9999)).name])
    wholes = {
        [*waiting_slots(job_of(queue_strategy=strategy, queue_limit=2), "a")][-1].name for strategy in QueueStrategy
    }
    assert wholes == {"p#wait#j"}


def test_without_a_queue_the_slots_refuse() -> None:
    """But not a run that another waits for; one that its job skips for is refused either way."""
    job = job_of(max_concurrency=2, max_concurrency_per_key=1, queue_limit=0, skip_if_running=True)
    assert [slot.refuses for slot in slots(job, "k")] == [True, True, True]
    assert [slot.refuses for slot in slots(job, "k", awaited=True)] == [True, False, False]
    assert [solo(slot) for slot in slots(job, "k")] == [True, False, False]
    assert not any(slot.refuses for slot in slots(job_of(max_concurrency=2, queue_limit=1), None))


@pytest.mark.parametrize(
    ("needed", "waits", "held", "fields", "taken"),
    [
        ((), (), {}, {}, True),
        ((CAP,), (), {"cap": "a"}, {}, True),
        ((DOOR,), (), {}, {}, True),
        ((DOOR,), (), {"cap": "a"}, {}, False),
        ((DOOR,), (), {"cap": "a"}, {"later": True}, True),
        ((CAP,), (WHOLE,), {"whole": "ab"}, {}, True),
        ((CAP,), (WHOLE,), {"cap": "x", "whole": "a"}, {}, True),
        ((CAP,), (WHOLE,), {"cap": "x", "whole": "ab"}, {}, False),
        ((CAP,), (WHOLE,), {"whole": "ab"}, {"later": True}, False),
        ((CAP,), (WHOLE,), {"cap": "x", "whole": "ab"}, {"replaces": True}, True),
        ((CAP,), (PART, WHOLE), {"cap": "x", "part": "a", "whole": "ab"}, {"replaces": True}, True),
        ((CAP,), (PART, WHOLE), {"cap": "x", "whole": "ab"}, {"replaces": True}, False),
    ],
)
def test_one_more_is_taken_where_there_is_room(
    needed: tuple[Slot, ...], waits: tuple[Slot, ...], held: dict[str, str], fields: dict[str, bool], taken: bool
) -> None:
    """To start, to wait, or in another's place."""
    asked = {"replaces": False, "later": False, **fields}
    assert accepts(needed, waits, held, **asked) is taken


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_holds_its_waiting_slots_or_the_others(status: RunStatus) -> None:
    """Never both, whatever its state: the first until it starts, the others from then on."""
    before, after = run_of(status), admitted(run_of(status, started_at=NOW))
    if status in {RunStatus.DELAYED, RunStatus.QUEUED, RunStatus.WAITING, RunStatus.PAUSED}:
        assert slots_taken(before) == [PART, WHOLE]
        ended = replace(before, status=RunStatus.CANCELED)
        assert slots_freed(ended, status) == [PART, WHOLE]
    if not status.terminal:
        assert slots_freed(replace(after, status=RunStatus.COMPLETED), status) == [CAP]
    assert after.waits == ()
    assert slots_taken(run_of(RunStatus.EXECUTING)) == [CAP]


def test_places_go_from_run_to_run_by_name() -> None:
    """Of the slots that both wait in, whatever their limits are by now, each once."""
    old = run_of(RunStatus.QUEUED)
    new = replace(old, id="n", waits=(Slot("whole", 9), Slot("whole", 9), Slot("other", 1)))
    assert places_passed_on(new, old) == ["whole"]


def test_terms_are_written_and_read() -> None:
    """Each comes back, and what has its default is not written; a job of before has none."""
    full = job_of(queue_limit=0, queue_strategy=PARTITIONED, queue_partition_limit=2, start_delay=10)
    again = job_from_text(job_to_text(full))
    assert again == full
    assert type(again.terms.queue_strategy) is QueueStrategy
    assert '"tm"' not in job_to_text(job_of())


def test_refusals_are_conflicts() -> None:
    """Every API that knows no more of them answers as it does to a conflict."""
    assert issubclass(QueueFull, Conflict)
    assert issubclass(NoQueue, Conflict)
