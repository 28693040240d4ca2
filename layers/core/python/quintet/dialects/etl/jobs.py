"""Creates and changes the jobs of projects."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.etl import schedules
from quintet.dialects.etl.authoring import Desk, New, number_in, required, status_of
from quintet.dialects.etl.members import list_of
from quintet.dialects.etl.models_work import JobIn, JobPatch
from quintet.dialects.etl.places import facts, number_of
from quintet.dialects.etl.plans import job_source
from quintet.dialects.etl.revising import Revision
from quintet.dialects.etl.schedules import Schedule
from quintet.dialects.etl.words import DIALECT, JOB
from quintet.domain.job import Job


class JobAuthor:
    """The author of a tenant's jobs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create(self, project: Job, body: JobIn) -> Job:
        """A new job of a project. Raises Invalid, Conflict (the project is full), NotFound (it is being deleted)."""
        desk, engine, owner = self._desk, self._desk.engine, number_of(project)
        source = number_in(body.input_dataset_id)
        desk.refuse_unknown_dataset(source, "inputDatasetId")
        desk.members.refuse_full(list_of(JOB, owner), "a project")
        number, enabled = desk.members.number(JOB), body.enabled is not False
        schedule = schedules.once(body.scheduled_time, engine.clock.now(), None, enabled=enabled)
        known = {
            "kind": JOB,
            "number": number,
            "project": owner,
            "parent": project.id,
            "input": source,
            "scheduledTime": None if body.scheduled_time is None else schedules.iso(body.scheduled_time),
            "tasks": [],
        }
        new = New(
            JOB,
            number,
            engine.ids.new(),
            body.name,
            job_source(()),
            schedules.with_schedule({DIALECT: known}, schedule),
            owner,
            description=body.description,
            enabled=enabled,
            trigger_type=_trigger(schedule),
        )
        job = desk.make(new, lambda: desk.compose.project(project))
        desk.see_to_moment(job)
        return job

    def change(self, job: Job, body: JobPatch) -> Job:
        """The job with what the body names changed. Raises Invalid, NotFound."""
        named = body.model_dump(exclude_unset=True)
        required(named, "name")
        desk, number = self._desk, number_of(job)
        if "input_dataset_id" in named and number_in(named["input_dataset_id"]) != facts(job).get("input"):
            desk.refuse_unknown_dataset(number_in(named["input_dataset_id"]), "inputDatasetId")
        enabled = named.get("enabled", job.status == "active") is not False
        matters = named.get("name", job.name) != job.name or enabled != (job.status == "active")
        project = desk.engine.jobs.get(desk.tenant, facts(job)["parent"]) if matters else None
        if project is not None and not enabled:  # before it refuses to start, it is not started any more
            desk.compose.project(project, without=(number,))
        changed = desk.revise(job, lambda fresh: self._revision(fresh, named))
        desk.call_off(job, changed)
        if project is not None:
            desk.compose.project(project)
        desk.see_to_moment(changed)
        return changed

    def _revision(self, fresh: Job, named: Mapping[str, Any]) -> Revision:
        enabled = named.get("enabled", fresh.status == "active") is not False
        known = dict(facts(fresh))
        if "input_dataset_id" in named:
            known["input"] = number_in(named["input_dataset_id"])
        at = schedules.moment(known.get("scheduledTime"))
        if "scheduled_time" in named:
            at = named["scheduled_time"]
            known["scheduledTime"] = None if at is None else schedules.iso(at)
        schedule = schedules.once(at, self._desk.engine.clock.now(), fresh, enabled=enabled)
        fields = {name: named[name] for name in ("name", "description") if name in named}
        return Revision(
            {
                **fields,
                "status": status_of(enabled=enabled),
                "trigger_type": _trigger(schedule),
                "settings": schedules.with_schedule({**fresh.settings, DIALECT: known}, schedule),
            }
        )


def _trigger(schedule: Schedule | None) -> str:
    return "manual" if schedule is None else "schedule"
