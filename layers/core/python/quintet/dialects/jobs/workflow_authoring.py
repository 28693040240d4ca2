"""Creates and changes workflows: everything is checked before anything is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from quintet.dialects.jobs import workflow_steps
from quintet.dialects.jobs.workflow_models import WorkflowFields, WorkflowIn, WorkflowPatch
from quintet.dialects.jobs.workflow_steps import DIALECT, StepIn
from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.job import Job, JobVersion
from quintet.domain.slug import SLUG_LENGTH, slug_of
from quintet.domain.terms import Terms
from quintet.services.ports.jobs import Taken
from quintet.web.engine import Engine

STEPS = ("steps",)
RUN_LABEL = "api:workflows"
"""What lists find the runs of all workflows by."""
UNVERSIONED = frozenset({"enabled"})
TRIES = 5
"""How often a change is merged anew when another writer was first."""
_FACE = frozenset({"tags", "timeout_secs", "cron", "timezone"})
_REQUIRED = ("name", "slug", "steps")
_EVERY_MINUTE = "* * * * *"
_NUMBERED = range(2, 6)

Fields = Mapping[str, Any]
"""A workflow's fields as their author gave them: nothing null."""


class _Moved(Exception):
    """The workflow is no longer what the change was merged into."""


def fields_of(version: JobVersion) -> dict[str, Any]:
    """The versioned fields as their author gave them."""
    return dict(version.source["fields"])


def steps_of(version: JobVersion) -> list[StepIn]:
    """A version's steps."""
    return workflow_steps.read(version.source["fields"]["steps"], STEPS)


class WorkflowAuthor:
    """One caller who writes the workflows of one project; `by` is what they say of who wrote them."""

    def __init__(self, engine: Engine, project: str, by: str) -> None:
        self._engine = engine
        self._project = project
        self._by = by

    def create(self, body: WorkflowIn) -> Job:
        """A new workflow. Raises Invalid with this API's places, Conflict for a taken slug."""
        fields = _given(body)
        named = "slug" in fields
        if not named:
            fields["slug"] = self._free_slug(slug_of(fields["name"]) or "workflow")
        steps = self._checked(fields, {})
        plan = _plan(steps, fields)
        settings = {**self._settings(fields, {}), "created_by": self._by}
        while True:
            try:
                return self._define(fields, plan, settings)
            except Taken:
                if named:
                    raise
            # Somebody took the slug that was free a moment ago.
            named, fields["slug"] = True, self._chance(fields["slug"])

    def _define(self, fields: Fields, plan: Plan, settings: Mapping[str, Any]) -> Job:
        try:
            return self._engine.define.define(
                self._project,
                DIALECT,
                fields["name"],
                plan,
                _source(fields),
                description=fields.get("description"),
                trigger_type="schedule" if "cron" in fields else "manual",
                status=_status(fields),
                settings=settings,
                slug=fields["slug"],
                labels=_labels(fields),
                terms=Terms(follows=True),  # jobs may depend on workflows
            )
        except Invalid as error:
            raise workflow_steps.wire_problems(error, plan.steps, STEPS) from error

    def change(self, job: Job, body: WorkflowPatch) -> Job:
        """The workflow with what the body names changed; all but `enabled` makes a new version. Raises NotFound, Invalid, Conflict."""
        for _ in range(TRIES):
            try:
                return self._change(job, body)
            except _Moved:
                job = self._engine.jobs.get(self._project, job.id)
        raise Conflict("others changed this workflow at the same time")

    def _change(self, job: Job, body: WorkflowPatch) -> Job:
        current = fields_of(self._engine.jobs.version(job.id, job.version))
        if job.status != "active":
            current["enabled"] = False
        named = body.model_dump(exclude_unset=True)
        if "steps" in named and body.steps is not None:
            named["steps"] = _written(body.steps)
        if cleared := [field for field in _REQUIRED if field in named and named[field] is None]:
            raise Invalid([Problem((field,), "can't be cleared") for field in cleared])
        fields = _kept({**current, **named})
        if fields == current:
            return job
        plan = _plan(self._checked(fields, current), fields)

        def changes(fresh: Job) -> dict[str, Any]:
            if _still(fresh) != _still(job):
                raise _Moved
            settings = {**self._settings(fields, fresh.settings), "updated_by": self._by}
            return {
                "name": fields["name"],
                "slug": fields["slug"],
                "description": fields.get("description"),
                "status": _status(fields),
                "trigger_type": "schedule" if "cron" in fields else "manual",
                "labels": _labels(fields),
                "settings": settings,
            }

        try:
            return self._engine.define.revise(self._project, job.id, changes, plan, _source(fields))
        except Invalid as error:
            raise workflow_steps.wire_problems(error, plan.steps, STEPS) from error

    def _checked(self, fields: Fields, was: Fields) -> list[StepIn]:
        """The steps. Raises Invalid with every fault of the fields."""
        steps = workflow_steps.read(fields["steps"], STEPS)
        found = list(self._time_faults(fields))
        if fields["steps"] != was.get("steps"):
            found += workflow_steps.misused(steps, STEPS)
            found += workflow_steps.faults(self._engine, self._project, steps, STEPS)
        if found:
            raise Invalid(found)
        return steps

    def _time_faults(self, fields: Fields) -> Iterator[Problem]:
        schedules, zone = self._engine.schedules, fields.get("timezone", "UTC")
        if "timezone" in fields and "cron" not in fields:
            yield Problem(("timezone",), "only used beside cron")
        elif fault := schedules.fault(_EVERY_MINUTE, zone):
            yield Problem(("timezone",), fault)
        elif "cron" in fields and (fault := schedules.fault(fields["cron"], zone)):
            yield Problem(("cron",), fault)

    def _settings(self, fields: Fields, was: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in was.items() if name == "created_by"}
        settings: dict[str, Any] = {
            **kept,
            "fields": {name: value for name, value in fields.items() if name in _FACE},
            "run_labels": [RUN_LABEL],
        }
        if "cron" in fields:
            settings["schedule"] = self._schedule(fields, was.get("schedule") or {})
        return settings

    def _schedule(self, fields: Fields, was: Mapping[str, Any]) -> dict[str, Any]:
        schedule = {"cron": fields["cron"], "timezone": fields.get("timezone", "UTC")}
        if not fields.get("enabled", True):
            return {**schedule, "next_at": None}
        if was.get("next_at") and all(was[name] == value for name, value in schedule.items()):
            return dict(was)  # a moment that is due now would be lost if it were reckoned anew
        moment = self._engine.schedules.after(schedule["cron"], schedule["timezone"], self._engine.clock.now())
        return {**schedule, "next_at": None if moment is None else moment.isoformat().replace("+00:00", "Z")}

    def _free_slug(self, wanted: str) -> str:
        """The slug, numbered when it is taken. Somebody may still take it before it is used."""
        for slug in (wanted, *(f"{wanted[: SLUG_LENGTH - 2]}-{number}" for number in _NUMBERED)):
            try:
                self._engine.jobs.by_slug(self._project, DIALECT, slug)
            except NotFound:
                return slug
        return self._chance(wanted)

    def _chance(self, wanted: str) -> str:
        return f"{wanted[: SLUG_LENGTH - 9]}-{self._engine.ids.new()[-8:]}"


def _given(body: WorkflowFields) -> dict[str, Any]:
    named = body.model_dump(exclude_unset=True, exclude={"project_id"})
    return _kept({**named, "steps": _written(body.steps or [])})


def _written(steps: list[StepIn]) -> list[dict[str, Any]]:
    """The steps as their author wrote them, without what says nothing."""
    dumped = (step.model_dump(exclude_unset=True) for step in steps)
    return [{name: value for name, value in step.items() if value is not None} for step in dumped]


def _kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What says something: two ways to say the same are the same definition."""
    named = {name: value for name, value in fields.items() if value is not None and value != {}}
    if named.get("enabled") is True:
        del named["enabled"]
    return named


def _source(fields: Fields) -> dict[str, Any]:
    return {"dialect": DIALECT, "fields": {name: value for name, value in fields.items() if name not in UNVERSIONED}}


def _plan(steps: list[StepIn], fields: Fields) -> Plan:
    timeout = fields.get("timeout_secs")
    return Plan(workflow_steps.to_plan(steps, STEPS), None if timeout is None else float(timeout))


def _status(fields: Fields) -> str:
    return "active" if fields.get("enabled", True) else "disabled"


def _labels(fields: Fields) -> frozenset[str]:
    tags = fields.get("tags", {}).items()
    return frozenset(label for key, value in tags for label in (f"tag:{key}", f"tag:{key}={value}"))


def _still(job: Job) -> Job:
    """The job without its schedule, which moves on by itself."""
    return replace(job, settings={name: value for name, value in job.settings.items() if name != "schedule"})
