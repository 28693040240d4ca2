"""Jobs that depend on each other, on stores in memory whose calls can be broken."""

from collections.abc import Callable
from threading import RLock
from typing import Any

from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryDependencies, MemoryJobs, SeededIds
from quintet.domain.definition import Plan, StepDef
from quintet.domain.dependency import JobDependency
from quintet.domain.errors import NotFound
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import Run, Trigger
from quintet.domain.status import RunStatus
from quintet.services.dependencies import Dependencies
from quintet.services.payloads import Payloads

COMPLETED, FAILED, CANCELED = RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELED


class Watched:
    """A port whose calls can be counted and broken."""

    def __init__(self, name: str, port: Any, call: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._name, self._port, self._call = name, port, call

    def __getattr__(self, method: str) -> Any:
        return lambda *args, **kwargs: self._call(
            f"{self._name}.{method}", lambda: getattr(self._port, method)(*args, **kwargs)
        )


class Yard:
    """Jobs, their dependencies, and what was triggered and released. `hook(when, call)` may break a port call."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ids = SeededIds(7, self.clock)
        self.hook: Callable[[str, str], None] = lambda when, call: None
        self.jobs = MemoryJobs()
        self.store = MemoryDependencies()
        self.triggered: list[tuple[str, Any, Trigger]] = []
        self.released: list[str] = []
        self.latest: dict[str, Run] = {}
        self._guards: set[str] = set()
        self._lock = RLock()
        self.service = Dependencies(
            Watched("store", self.store, self._call),  # type: ignore[arg-type]  # stands for the store
            Watched("jobs", self.jobs, self._call),  # type: ignore[arg-type]  # the same
            Payloads(MemoryBlobs()),
            self.clock,
            self.ids,
            trigger=lambda *args: self._call("trigger", lambda: self._trigger(*args)),
            release=lambda run_id: self._call("release", lambda: self.released.append(run_id)),
            latest=lambda project, job_id: self.latest.get(job_id),
        )

    def _call(self, name: str, effect: Callable[[], Any]) -> Any:
        self.hook("before", name)
        found = effect()
        self.hook("after", name)
        return found

    def _trigger(self, job: Job, given: Any, trigger: Trigger, guards: tuple[str, ...]) -> None:
        with self._lock:
            if self._guards.isdisjoint(guards):
                self._guards.update(guards)
                self.triggered.append((job.id, given, trigger))

    def job(self, job_id: str, project: str = "p", **fields: Any) -> Job:
        """A job of that id."""
        now = self.clock.now()
        job = Job(job_id, project, "jobs", job_id, 1, f"ver-{job_id}", now, now, slug=f"{project}-{job_id}", **fields)
        plan = Plan((StepDef("call", "http", config={"url": "https://service.example"}),))
        self.jobs.create(job, JobVersion(job.version_id, job.id, 1, plan, {}, now))
        return job

    def after(self, job_id: str, *upstream: str, condition: str = "completed") -> list[JobDependency]:
        """Has a job follow others, all made when they are not there."""
        for name in (job_id, *upstream):
            try:
                self.jobs.get("p", name)
            except NotFound:
                self.job(name)
        return [self.service.add("p", job_id, name, condition) for name in upstream]

    def run(self, job_id: str, number: int, status: RunStatus = COMPLETED) -> Run:
        """A run of a job that has ended."""
        self.clock.advance(1)
        now = self.clock.now()
        return Run(f"{job_id}-{number}", "p", job_id, 1, "v", status, now, now, ended_at=now, follows=True)

    def end(self, job_id: str, number: int, status: RunStatus = COMPLETED) -> Run:
        """A run ends, and is heard of."""
        run = self.run(job_id, number, status)
        self.hear(run)
        return run

    def hear(self, run: Run) -> None:
        """A run's end is heard of; its result is its id."""
        self.service.heard(run, {"of": run.id} if run.status is COMPLETED else None)

    @property
    def starts(self) -> list[tuple[str, ...]]:
        """Of each start the downstream job, and the upstream runs that its input names, the last one first."""
        return [
            (job, given["upstream"]["run_id"], *(one["run_id"] for one in given.get("upstreams", ())))
            for job, given, _ in self.triggered
        ]

    def just_before(self, call: str, act: Callable[[], object]) -> None:
        """Has somebody else act once, right before the next call of that name."""
        waiting = [act]

        def hook(when: str, called: str) -> None:
            if (when, called) == ("before", call) and waiting:
                waiting.pop()()

        self.hook = hook
