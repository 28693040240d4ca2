"""Who sees how many runs wait, by rules written apart from the engine's."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from quintet.domain.errors import NoQueue
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.domain.terms import QueueStrategy

EVER = datetime.min.replace(tzinfo=UTC)
Place = tuple[str, ...]
"""A job's queue, or with a partition's name a part of it."""


class QueueWitness:
    """Counts the runs that have not started, from write to write, and holds them to their jobs' terms."""

    def __init__(self, now: Callable[[], datetime], note: Callable[[str], None]) -> None:
        self._now = now
        self._note = note
        self._waiting: defaultdict[Place, set[str]] = defaultdict(set)
        self._full_until: dict[Place, datetime] = {}
        self.slots: set[str] = set()
        """The waiting slots that there were."""
        self.met: Counter[str] = Counter()

    def see(self, job: Job | None, run: Run) -> None:
        """A run's item was written."""
        if job is None or run.parent is not None:
            return  # one that another waits for is made in any case
        self.slots |= {slot.name for slot in run.waits}
        waits = run.started_at is None and not run.status.terminal
        if waits and job.terms.queue_limit == 0 and (run.status is not RunStatus.DELAYED or job.terms.start_delay):
            self._note(f"{run.id} is {run.status}, and its job has no queue")
        if not waits and run.waits and run.started_at is not None:
            self._note(f"{run.id} has started and says that it holds {run.waits}")
        for place, most in places(job, run):
            held = self._waiting[place]
            comes = waits and run.id not in held
            if len(held) >= most:
                self._full_until[place] = self._now()
            (held.add if waits else held.discard)(run.id)
            self.met["waited at the limit"] += comes and len(held) == most
            if comes and len(held) > most:
                self._note(f"{len(held)} runs of {place} wait, of at most {most}: {sorted(held)}")

    def turned_away(self, job: Job, began: datetime, answer: Exception) -> None:
        """A trigger was refused: its job has no queue, or one that was full while it asked."""
        self.met["turned away"] += 1
        if (job.terms.queue_limit == 0) != isinstance(answer, NoQueue):
            self._note(f"job {job.id} with {job.terms} answered {answer!r}")
        elif isinstance(answer, NoQueue):
            return
        elif job.terms.queue_strategy is QueueStrategy.REPLACE:
            self._note(f"job {job.id} replaces, and answered {answer!r}")
        elif (
            len(self._waiting[job.id,]) < (job.terms.queue_limit or 0) and self._full_until.get((job.id,), EVER) < began
        ):
            self._note(f"job {job.id} answered {answer!r}, and its queue was not full since {began}")


def places(job: Job, run: Run) -> Iterator[tuple[Place, int]]:
    """Where a run that has not started counts, and how many may."""
    terms = job.terms
    if terms.queue_strategy is QueueStrategy.REPLACE and terms.queue_limit != 0:
        yield (job.id,), 1
        return
    if terms.queue_strategy is QueueStrategy.PARTITIONED_REPLACE and terms.queue_limit != 0:
        yield (job.id, str(run.asked.get("queue_partition"))), terms.queue_partition_limit or 1
    if terms.queue_limit:
        yield (job.id,), terms.queue_limit
