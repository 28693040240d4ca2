"""What all authors of this API work with, and how they make, list and unmake what they author."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from quintet.dialects.etl import schedules
from quintet.dialects.etl.composing import Composing
from quintet.dialects.etl.members import Members, list_of
from quintet.dialects.etl.places import Places, slug
from quintet.dialects.etl.plans import Source, plan_of
from quintet.dialects.etl.revising import Revising
from quintet.dialects.etl.words import DIALECT, JOB, PROJECT, TASK
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.job import Job
from quintet.domain.status import RunStatus
from quintet.domain.terms import Terms
from quintet.services.ports.runs import RunList
from quintet.web.engine import Engine

TERMS = {
    PROJECT: Terms(skip_if_running=True),
    JOB: Terms(skip_if_running=True),
    TASK: Terms(skip_if_running=True, follows=True),
}
"""Each runs once at a time; the end of a task's run concerns its dataset."""
_PREPARED = 10
"""Runs that are looked at of those which the tick has prepared: the last minute's, which are few."""


@dataclass(frozen=True, slots=True)
class New:
    """A project, job or task that is to be; `owner` is the number of what holds it."""

    kind: str
    number: int
    job_id: str
    name: str
    source: Source
    settings: Mapping[str, Any] = field(default_factory=dict)
    owner: int | None = None
    description: str | None = None
    enabled: bool = True
    trigger_type: str = "manual"
    give_up: Callable[[], None] = lambda: None
    """Gives up what was claimed for it."""


class Desk:
    """The tools of the authors of one tenant; `by` is who asks."""

    def __init__(self, engine: Engine, tenant: str, by: str) -> None:
        self.engine = engine
        self.tenant = tenant
        self.by = by
        self.places = Places(engine.jobs, tenant)
        self.members = Members(engine.collections, engine.jobs, engine.clock, tenant)
        self.revise = Revising(engine.jobs, engine.define, engine.clock)
        self.compose = Composing(self.members, self.revise)

    def make(self, new: New, settle: Callable[[], object] | None = None) -> Job:
        """Lists and defines what is new; then `settle`, if given, sees to the plans above it.

        A fault takes back what was written. Once it is defined it stays, unless what holds it is found to be going (NotFound): a plan
        that doesn't know of it yet follows with the next change, or before it is executed.
        """
        try:
            self.members.enter(list_of(new.kind, new.owner), new.number, new.job_id)
            job = self.engine.define.define(
                self.tenant,
                DIALECT,
                new.name,
                plan_of(new.source),
                new.source,
                description=new.description,
                trigger_type=new.trigger_type,
                status=status_of(enabled=new.enabled),
                settings=new.settings,
                slug=slug(new.kind, new.number),
                terms=TERMS[new.kind],
                job_id=new.job_id,
            )
        except Exception:
            self._unmake(new)
            raise
        try:
            if settle is not None:
                settle()
        except NotFound:
            self._unmake(new)
            raise
        return job

    def _unmake(self, new: New) -> None:
        with suppress(NotFound):
            self.engine.delete_job(self.tenant, new.job_id)
        self.members.leave(list_of(new.kind, new.owner), new.number)
        new.give_up()

    def see_to_moment(self, job: Job) -> None:
        """Has a moment that comes within the minute come in time: the tick that would see to it may be over."""
        schedule = job.settings.get("schedule") or {}
        upcoming = schedules.moment(schedule.get("next_at"))
        if upcoming is not None:
            self.engine.tick.soon(job, upcoming)

    def call_off(self, was: Job, now: Job | None = None) -> None:
        """Cancels the runs that the tick has prepared for a moment that has been taken back since (now None: with the job)."""
        if "schedule" not in was.settings or (now is not None and _moments(was) == _moments(now)):
            return
        wanted = RunList(self.tenant, job_id=was.id, statuses=frozenset({RunStatus.DELAYED}))
        for run in self.engine.runs.browse(wanted, _PREPARED).runs:
            with suppress(Conflict, NotFound):  # it has just begun
                self.engine.cancel_run(self.tenant, run.id, self.by, "its moment was taken back")

    def refuse_unknown_dataset(self, number: int | None, wire: str) -> None:
        """Raises Invalid, naming the field, for the number of no dataset."""
        if number is None:
            return
        try:
            self.engine.datasets.get(self.tenant, number)
        except NotFound:
            raise Invalid([Problem(("body", wire), f"there is no dataset {number}")]) from None


def _moments(job: Job) -> tuple[str, dict[str, Any]]:
    schedule = job.settings.get("schedule") or {}
    return job.status, {name: value for name, value in schedule.items() if name != "next_at"}


def status_of(*, enabled: bool) -> str:
    """What the core calls a job that is enabled, or not."""
    return "active" if enabled else "disabled"


def required(named: Mapping[str, Any], *wires: str) -> None:
    """Raises Invalid for fields (by their names in bodies) that a change would clear, and that can't be."""
    cleared = [wire for wire in wires if wire in named and named[wire] is None]
    if cleared:
        raise Invalid([Problem(("body", wire), "can't be cleared") for wire in cleared])


def number_in(text: str | None) -> int | None:
    """The number that an id in a body is."""
    return None if text is None else int(text)
