"""Who sees every write of a run, and whether it was allowed: by rules written apart from the engine's and the stores'.

What is found is noted, not raised: a fault raised inside the engine would be taken for one of a port.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from simulation.queues import QueueWitness

from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus as S
from quintet.services.ports.runs import Claims, Creation, Rate

ROUNDING = timedelta(milliseconds=1)

LIFE: dict[S | None, set[S]] = {
    None: {S.DELAYED, S.QUEUED, S.EXECUTING, S.WAITING},
    # A delayed run whose time has come is queued for no time at all when its slot is free, and waits when its dependencies are not met.
    S.DELAYED: {S.QUEUED, S.EXECUTING, S.WAITING, S.CANCELED, S.EXPIRED},
    S.QUEUED: {S.EXECUTING, S.CANCELED, S.EXPIRED, S.PAUSED},
    S.EXECUTING: {
        *(S.COMPLETED, S.FAILED, S.TIMED_OUT, S.CRASHED, S.SYSTEM_FAILED, S.CANCELED),
        *(S.WAITING, S.QUEUED, S.PAUSED),
    },
    # An endpoint that reports by itself and falls silent has crashed.
    S.WAITING: {S.EXECUTING, S.QUEUED, S.COMPLETED, S.FAILED, S.CANCELED, S.TIMED_OUT, S.PAUSED, S.CRASHED},
    # Paused before its start, a run stands in its queue again; after it, it goes on.
    # One that was paused at work may be given up.
    S.PAUSED: {S.QUEUED, S.EXECUTING, S.CANCELED, S.CRASHED},
}
"""Which status may follow which ("Run life" of the Jobs contract, and what runs of several steps do besides)."""


class Witness:
    """Follows every run from write to write."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.queues = QueueWitness(now, self.note)
        self.broken: list[str] = []
        self.runs: dict[str, Run] = {}
        self.seen: set[tuple[str | None, str]] = set()
        self.at_cap = 0
        self.same: list[tuple[Run, Run]] = []
        """Runs of one payload, each with the one before it, of jobs that look for duplicates."""
        self._jobs: dict[str, Job] = {}
        self._active: defaultdict[str, set[str]] = defaultdict(set)
        self._active_of_key: defaultdict[str, set[str]] = defaultdict(set)
        self._by_key: dict[tuple[str, str], str] = {}
        self._same: dict[tuple[str, str], Run] = {}
        self._windows: dict[str, tuple[int, int]] = {}
        self._names: dict[tuple[str, int, str], str] = {}

    def know(self, job: Job) -> None:
        """Notes the terms that a job's runs are held to."""
        self._jobs[job.id] = job

    def note(self, fault: str) -> None:
        """Something was not as promised."""
        self.broken.append(fault)

    def active(self, job_id: str) -> int:
        """How many of a job's runs have begun and not ended."""
        return len(self._active[job_id])

    def live(self) -> list[Run]:
        """The runs that have not ended."""
        return [run for run in self.runs.values() if not run.status.terminal]

    def has_room(self, run: Run) -> bool:
        """True when the caps of an unstarted run would let it in."""
        job = self._jobs.get(run.job_id)
        most = job.terms.max_concurrency if job else None
        key = self.key_limit(run)
        room_in_job = most is None or len(self._active[run.job_id]) < most
        return room_in_job and (key is None or len(self._active_of_key[str(run.concurrency_key)]) < key)

    def key_limit(self, run: Run) -> int | None:
        """How many of its key's runs may be active beside and with this one; None: any number."""
        if run.concurrency_key is None:
            return None
        job = self._jobs.get(run.job_id)
        return 1 if job is None else job.terms.max_concurrency_per_key

    # --- writes ----------------------------------------------------------------------------------------------------------------

    def created(self, run: Run, given: Any, rates: Sequence[Rate]) -> None:
        """A new run was written."""
        self.changed(run)
        self.counted(rates, run.created_at)
        job = self._jobs.get(run.job_id)
        if job is None or run.item is not None:
            return
        self._check_idempotency(run)
        if run.started_by == "retry":
            return
        self._check_counters(job, run, given, rates)
        if job.terms.dedup_window is not None and run.parent is None:
            self._note_duplicates(job, run, given)

    def changed(self, run: Run) -> None:
        """A run's item was written."""
        before = self.runs.get(run.id)
        self.runs[run.id] = run
        was = before.status if before else None
        if run.status is not was:
            self.seen.add((was, run.status))
            if was is not None and was.terminal:
                self.note(f"{run.id} had ended {was} and became {run.status}")
            elif run.status not in LIFE[was]:
                self.note(f"{run.id} went from {was} to {run.status}")
        if before is not None and before.started_at is not None and run.started_at != before.started_at:
            self.note(f"{run.id} started twice: {before.started_at} and {run.started_at}")
        if run.started_at is not None and (before is None or before.started_at is None):
            self._check_start(run)
        if run.status is S.EXPIRED and run.started_at is not None:
            self.note(f"{run.id} expired after its start")
        if run.item is None:  # a map's items are under their run's caps
            self._count(run)
            self.queues.see(self._jobs.get(run.job_id), run)

    def turned_away(self, job: Job, began: datetime, answer: Exception) -> None:
        """A trigger was refused for want of a place in the queue."""
        self.queues.turned_away(job, began, answer)

    def _check_start(self, run: Run) -> None:
        begun = run.started_at
        assert begun is not None
        if run.scheduled_at is not None and begun < run.scheduled_at - ROUNDING:
            self.note(f"{run.id} started at {begun}, before its time {run.scheduled_at}")
        # What starts with its creation is in time: its caller is waiting for the answer, however long that takes.
        if run.expires_at is not None and begun > run.expires_at + ROUNDING and begun != run.created_at:
            self.note(f"{run.id} started at {begun}, after its time to start was over at {run.expires_at}")

    def _count(self, run: Run) -> None:
        job = self._jobs.get(run.job_id)
        live = run.started_at is not None and not run.status.terminal
        key = run.concurrency_key
        for held, name in ((self._active, run.job_id), (self._active_of_key, key)):
            if name is None or (held is self._active_of_key and self.key_limit(run) is None):
                continue
            begins = live and run.id not in held[name]
            (held[name].add if live else held[name].discard)(run.id)
            most = self.key_limit(run) if held is self._active_of_key else (job.terms.max_concurrency if job else None)
            if begins and most is not None:
                self.at_cap += len(held[name]) == most
                if len(held[name]) > most:
                    self.note(f"{len(held[name])} runs of {name} are active, of at most {most}: {sorted(held[name])}")
        if job is not None and job.terms.skip_if_running and len(self._active[job.id]) > 1:
            self.note(f"job {job.id} skips, and {sorted(self._active[job.id])} are active")

    def _check_idempotency(self, run: Run) -> None:
        key = run.asked.get("idempotency_key")
        if key is None:
            return
        first = self._by_key.setdefault((run.job_id, key), run.id)
        if first != run.id:
            self.note(f"idempotency key {key} of job {run.job_id} made {first} and {run.id}")

    def _note_duplicates(self, job: Job, run: Run, given: Any) -> None:
        before = self._same.get((job.id, repr(given)))
        self._same[job.id, repr(given)] = run
        if before is not None:
            self.same.append((before, run))

    def _check_counters(self, job: Job, run: Run, given: Any, rates: Sequence[Rate]) -> None:
        """A run counts under each of its job's rates, and what is equal under the same counter."""
        values = [self._value(rate.name, given, run) for rate in job.terms.rates]
        expected = [
            (limit.most, limit.window) for limit, v in zip(job.terms.rates, values, strict=True) if v is not None
        ]
        if not rates and (job.terms.debounce_window or job.terms.batch_window):
            return  # counted when it was to be merged with a run that was over by then
        if [(rate.most, rate.window) for rate in rates] != expected:
            self.note(f"{run.id} counts under {rates}, not {expected}")
            return
        counted = [(index, value) for index, value in enumerate(values) if value is not None]
        for (index, value), rate in zip(counted, rates, strict=True):
            if self._names.setdefault((job.id, index, repr(value)), rate.name) != rate.name:
                self.note(f"{value!r} of job {job.id} has two counters: {rate.name}")

    @staticmethod
    def _value(name: str | None, given: Any, run: Run) -> Any:
        if name is None:
            return "all"
        inside = given.get(name) if isinstance(given, dict) else None
        return inside if inside is not None else run.asked.get("tags", {}).get(name)

    def counted(self, rates: Sequence[Rate], at: datetime) -> None:
        """Something was counted: each window is opened by its first, and takes so many until it is over."""
        now = round(at.timestamp() * 1000)
        for rate in rates:
            until, count = self._windows.get(rate.name, (0, 0))
            if until <= now:
                until, count = now + rate.window * 1000, 0
            self._windows[rate.name] = until, count + 1
            if count + 1 > rate.most:
                self.note(f"{count + 1} of at most {rate.most} within {rate.window} s are counted by {rate.name}")


class WitnessedRuns:
    """Port Runs with a witness of its writes."""

    def __init__(self, runs: Any, witness: Witness) -> None:
        self._runs = runs
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def create(self, creation: Creation) -> None:
        """Writes a new run."""
        self._runs.create(creation)
        self._made(creation)

    def create_many(self, creations: Sequence[Creation]) -> list[Exception | None]:
        """Writes many."""
        answers: list[Exception | None] = self._runs.create_many(creations)
        for creation, fault in zip(creations, answers, strict=True):
            if fault is None:
                self._made(creation)
        return answers

    def _made(self, creation: Creation) -> None:
        if creation.replaces is not None:  # in the same write, and to whoever counts before the other
            self._witness.changed(self._runs.get(creation.replaces.change.run.id))
        inputs = [event.data["input"] for event in creation.events if event.data.get("input") is not None]
        inputs += [event.data["item"] for event in creation.events if "item" in event.data]
        given = inputs[0] if inputs else None
        self._witness.created(self._runs.get(creation.run.id), given, creation.claims.rates)

    def claim(self, run_id: str, claims: Claims, now: datetime) -> None:
        """Claims for a run that exists."""
        self._runs.claim(run_id, claims, now)
        self._witness.counted(claims.rates, now)

    def append(self, run_id: str, base: int, events: Sequence[Any], change: Any = None) -> None:
        """Writes events, and perhaps the run's changed item."""
        self._runs.append(run_id, base, events, change)
        if change is not None:
            self._witness.changed(self._runs.get(run_id))

    def admit(self, run: Run, base: int, events: Sequence[Any], lease_until: Any) -> int:
        """Starts an unstarted run."""
        epoch: int = self._runs.admit(run, base, events, lease_until)
        self._witness.changed(self._runs.get(run.id))
        return epoch
