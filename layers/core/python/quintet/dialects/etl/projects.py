"""Creates and changes projects, and their schedules."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.etl import schedules
from quintet.dialects.etl.authoring import Desk, New, number_in, required, status_of
from quintet.dialects.etl.members import list_of
from quintet.dialects.etl.models_work import ProjectIn, ProjectPatch, ScheduleIn
from quintet.dialects.etl.places import facts, number_of
from quintet.dialects.etl.plans import Member, project_source
from quintet.dialects.etl.revising import Revision
from quintet.dialects.etl.schedules import DEFAULT_ZONE
from quintet.dialects.etl.words import DIALECT, JOB, PROJECT
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.job import Job


class ProjectAuthor:
    """The author of a tenant's projects."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create(self, body: ProjectIn) -> Job:
        """A new project. Raises Invalid, Taken (its name)."""
        desk, engine = self._desk, self._desk.engine
        enabled = body.enabled is not False
        schedule = schedules.cron(
            body.cron_schedule, DEFAULT_ZONE, engine.clock.now(), None, engine.schedules, enabled=enabled
        )
        number = desk.members.number(PROJECT)
        known = {"kind": PROJECT, "number": number, "jobs": []}
        new = New(
            PROJECT,
            number,
            engine.ids.new(),
            body.name,
            project_source((), None),
            schedules.with_schedule({DIALECT: known}, schedule),
            description=body.description,
            enabled=enabled,
            trigger_type=_trigger(schedule),
            give_up=lambda: desk.members.release(body.name, number),
        )
        desk.members.claim(body.name, number)
        return desk.make(new)

    def named(self, name: str) -> Job:
        """The project of that name. Raises NotFound."""
        missing = f"no project {name[:255]!r}"
        try:
            project = self._desk.places.project(self._desk.members.named(name))
        except NotFound:
            raise NotFound(missing) from None
        if project.name != name:
            raise NotFound(missing)
        return project

    def change(self, project: Job, body: ProjectPatch) -> Job:
        """The project with what the body names changed. Raises Invalid, Taken, NotFound."""
        named = body.model_dump(exclude_unset=True)
        required(named, "name")
        replaced: list[str] = []
        renamed = named.get("name", project.name) != project.name
        if renamed:
            self._desk.members.claim(named["name"], number_of(project))

        def decide(fresh: Job) -> Revision:
            replaced[:] = [fresh.name]
            fields: dict[str, Any] = {name: named[name] for name in ("name", "description") if name in named}
            return Revision(fields | self._scheduled(fresh, named))

        try:
            changed = self._desk.revise(project, decide)
        except Exception:
            if renamed:
                self._desk.members.release(named["name"], number_of(project))
            raise
        self._desk.call_off(project, changed)
        for name in replaced:
            if name != changed.name:
                self._desk.members.release(name, number_of(project))
        return changed

    def reschedule(self, project: Job, body: ScheduleIn) -> Job:
        """The project with another schedule. Raises Invalid."""
        named = body.model_dump(exclude_unset=True)
        only = number_in(body.job_id)
        if only is not None and only != facts(project).get("only"):
            self._refuse_foreign(project, only)
        if "job_id" not in named:
            changed = self._desk.revise(project, lambda fresh: Revision(self._scheduled(fresh, named)))
            self._desk.call_off(project, changed)
            return changed
        found = [Member.of(job) for job in self._desk.members.all(list_of(JOB, number_of(project)))]

        def decide(fresh: Job) -> Revision:
            fields = self._scheduled(fresh, named)
            settings = {**fields["settings"], DIALECT: {**facts(fresh), "only": only}}
            return Revision({**fields, "settings": settings}, project_source(found, only))

        changed = self._desk.revise(project, decide)
        self._desk.call_off(project, changed)
        return self._desk.compose.project(changed)

    def _refuse_foreign(self, project: Job, job: int) -> None:
        try:
            self._desk.places.job(number_of(project), job)
        except NotFound:
            raise Invalid([Problem(("body", "jobId"), f"there is no job {job} in this project")]) from None

    def _scheduled(self, fresh: Job, named: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a project's job that say when it starts, as what is named makes them; null is as if nothing was said."""
        engine = self._desk.engine
        was: Mapping[str, Any] = fresh.settings.get("schedule") or {}
        if named.get("timezone") and "cron_schedule" not in named and not was:
            raise Invalid([Problem(("body", "timezone"), "is that of a cronSchedule, and there is none: name both")])
        enabled = named["enabled"] is not False if "enabled" in named else fresh.status == "active"
        schedule = schedules.cron(
            named.get("cron_schedule", was.get("cron")),
            named.get("timezone", was.get("timezone")) or DEFAULT_ZONE,
            engine.clock.now(),
            fresh,
            engine.schedules,
            enabled=enabled,
        )
        return {
            "status": status_of(enabled=enabled),
            "trigger_type": _trigger(schedule),
            "settings": schedules.with_schedule(fresh.settings, schedule),
        }


def _trigger(schedule: Mapping[str, Any] | None) -> str:
    return "manual" if schedule is None else "schedule"
