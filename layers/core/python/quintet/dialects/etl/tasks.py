"""Creates and changes the tasks of jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from quintet.dialects.etl import schedules
from quintet.dialects.etl.authoring import Desk, New, number_in, required, status_of
from quintet.dialects.etl.members import list_of
from quintet.dialects.etl.models_work import TaskIn, TaskPatch
from quintet.dialects.etl.outputs import Output, Outputs
from quintet.dialects.etl.places import facts, number_of
from quintet.dialects.etl.plans import circle, task_source
from quintet.dialects.etl.revising import Revision
from quintet.dialects.etl.words import DIALECT, MANUAL, SCHEDULED, TASK, TRIGGER_TYPES
from quintet.domain.errors import Conflict, Invalid, Problem
from quintet.domain.job import Job

_FACTS = {"bot_id": "botId", "task_type": "taskType", "execution_mode": "executionMode"}
"""Fields of a body that are kept as they are."""


def key_context(known: Mapping[str, Any]) -> str:
    """What the key of a task, by its facts, is sealed for."""
    return f"etl-task:{known['project']}:{known['number']}"


class TaskAuthor:
    """The author of a tenant's tasks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._outputs = Outputs(desk)

    # --- new ones --------------------------------------------------------------------------------------------------------------

    def create(self, job: Job, body: TaskIn) -> Job:
        """A new task of a job. Raises Invalid, Conflict (the job is full), NotFound (it is being deleted)."""
        desk, owner = self._desk, facts(job)
        named = body.model_dump(exclude_unset=True)
        desk.members.refuse_full(list_of(TASK, owner["number"]), "a job")
        known: dict[str, Any] = {
            "kind": TASK,
            "project": owner["project"],
            "job": owner["number"],
            "parent": job.id,
            "dependsOn": [],
        }
        known |= self._said(known, named)
        self._check_references(job, known, named)
        self._check_time(known, None)
        known["number"] = desk.members.number(TASK)
        if named.get("api_key"):
            known["apiKey"] = desk.engine.vault.seal(named["api_key"], key_context(known))
        known |= self._outputs.first(known["number"], body.name, number_in(body.output_dataset_id))
        task = desk.make(self._new(body, known), lambda: desk.compose.job(job))
        desk.see_to_moment(task)
        return task

    def _new(self, body: TaskIn, known: dict[str, Any]) -> New:
        enabled = body.enabled is not False
        return New(
            TASK,
            known["number"],
            self._desk.engine.ids.new(),
            body.name,
            task_source(known),
            self._settings({}, known, None, enabled=enabled),
            known["job"],
            description=body.description,
            enabled=enabled,
            trigger_type=TRIGGER_TYPES[known["executionMode"]],
            give_up=lambda: self._outputs.forget(known["number"], known["output"]),
        )

    # --- changes ---------------------------------------------------------------------------------------------------------------

    def change(self, task: Job, body: TaskPatch) -> Job:
        """The task with what the body names changed. Raises Invalid, NotFound, Conflict (a circle that two changes at once would make)."""
        named = body.model_dump(exclude_unset=True)
        required(_on_wire(named), "name", "taskType")
        was = facts(task)
        job = self._desk.engine.jobs.get(self._desk.tenant, was["parent"])
        wanted = {**was, **self._said(was, named)}
        self._check_references(job, wanted, named, was)
        self._check_time(wanted, was)
        enabled = named.get("enabled", task.status == "active") is not False
        if task.status == "active" and not enabled:  # before it refuses to start, it is not called any more
            self._desk.compose.job(job, without=(was["number"],))
        output = self._outputs.changed(task, named)
        try:
            changed = self._desk.revise(task, lambda fresh: self._revision(fresh, named, output))
        except Exception:
            self._outputs.left({**was, **output}, was)
            raise
        self._outputs.left(was, facts(changed))
        self._desk.call_off(task, changed)
        self._fit(job, task, changed)
        self._desk.see_to_moment(changed)
        return changed

    def _fit(self, job: Job, was: Job, changed: Job) -> None:
        """Has the job's plan follow a change that matters to it."""
        needed, before = facts(changed)["dependsOn"], facts(was)["dependsOn"]
        if needed != before and self._circle(job, number_of(changed), needed) is not None:
            # Another change at the same moment made the other half of the circle.
            self._desk.revise(changed, lambda fresh: _needing(fresh, before))
            self._desk.compose.job(job)
            raise Conflict("dependsOn: with another change at the same time this would be a circle")
        if (changed.name, changed.status, needed) != (was.name, was.status, before):
            self._desk.compose.job(job)

    def _revision(self, fresh: Job, named: Mapping[str, Any], output: Output) -> Revision:
        was = facts(fresh)
        known = {**was, **self._said(was, named), **output}
        self._check_time(known, was)
        if named.get("api_key") is not None:
            known["apiKey"] = self._sealed(known, named["api_key"])
        enabled = named.get("enabled", fresh.status == "active") is not False
        fields = {name: named[name] for name in ("name", "description") if name in named}
        return Revision(
            {
                **fields,
                "status": status_of(enabled=enabled),
                "trigger_type": TRIGGER_TYPES[known["executionMode"]],
                "settings": self._settings(fresh.settings, known, fresh, enabled=enabled),
            },
            task_source(known),
        )

    def _sealed(self, known: Mapping[str, Any], key: str) -> str | None:
        """The key as it is kept: as it is already when it is the same, None for the empty text, which takes it away."""
        vault, kept = self._desk.engine.vault, known.get("apiKey")
        if not key:
            return None
        same = kept is not None and vault.open(kept, key_context(known)) == key
        return kept if same else vault.seal(key, key_context(known))

    # --- what both have in common ----------------------------------------------------------------------------------------------

    @staticmethod
    def _said(was: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """The facts that a body names, as they are kept."""
        said = {fact: named[name] for name, fact in _FACTS.items() if name in named}
        said["executionMode"] = said.get("executionMode", was.get("executionMode")) or MANUAL
        if "scheduled_time" in named:
            at = named["scheduled_time"]
            said["scheduledTime"] = None if at is None else schedules.iso(at)
        if "input_dataset_id" in named:
            said["input"] = number_in(named["input_dataset_id"])
        if "depends_on" in named:
            said["dependsOn"] = list(dict.fromkeys(int(one) for one in named["depends_on"] or ()))
        return said

    def _settings(
        self, settings: Mapping[str, Any], known: Mapping[str, Any], was: Job | None, *, enabled: bool
    ) -> dict[str, Any]:
        at = schedules.moment(known.get("scheduledTime")) if known["executionMode"] == SCHEDULED else None
        schedule = schedules.once(at, self._desk.engine.clock.now(), was, enabled=enabled)
        labels = {"run_labels": [f"etl-job:{known['job']}"]}
        return schedules.with_schedule({**settings, **labels, DIALECT: dict(known)}, schedule)

    def _check_time(self, known: Mapping[str, Any], was: Mapping[str, Any] | None) -> None:
        """A SCHEDULED task has a time, and one that it is given now is ahead; a task that has run may be written as it was read."""
        if known["executionMode"] != SCHEDULED:
            return
        at = schedules.moment(known.get("scheduledTime"))
        if at is None:
            raise Invalid([Problem(("body", "scheduledTime"), "required when executionMode is SCHEDULED")])
        kept = was is not None and all(known.get(one) == was.get(one) for one in ("scheduledTime", "executionMode"))
        if not kept and at <= self._desk.engine.clock.now():
            raise Invalid([Problem(("body", "scheduledTime"), "must be in the future when executionMode is SCHEDULED")])

    def _check_references(
        self, job: Job, known: Mapping[str, Any], named: Mapping[str, Any], was: Mapping[str, Any] | None = None
    ) -> None:
        """What a body names must be there; what the task had before may be gone since."""
        before = was or {}
        if "input_dataset_id" in named and known["input"] != before.get("input"):
            self._desk.refuse_unknown_dataset(known["input"], "inputDatasetId")
        if "depends_on" in named and known["dependsOn"] != before.get("dependsOn", []):
            self._check_needed(job, known, before.get("dependsOn", []))

    def _check_needed(self, job: Job, known: Mapping[str, Any], before: Sequence[int]) -> None:
        number, needed = known.get("number", 0), known["dependsOn"]
        tasks = {number_of(one) for one in self._tasks(job)}
        unknown = [one for one in needed if one not in tasks and one not in before]
        if unknown:
            raise Invalid([Problem(("body", "dependsOn"), f"there is no task {one} in this job") for one in unknown])
        if found := self._circle(job, number, needed):
            raise Invalid([Problem(("body", "dependsOn"), f"a circle: {' -> '.join(map(str, found))}")])

    def _circle(self, job: Job, number: int, needed: Sequence[int]) -> list[int] | None:
        edges = {number_of(one): facts(one).get("dependsOn", ()) for one in self._tasks(job)}
        return circle({**edges, number: needed})

    def _tasks(self, job: Job) -> list[Job]:
        return self._desk.members.all(list_of(TASK, number_of(job)))


def _needing(fresh: Job, needed: Sequence[int]) -> Revision:
    return Revision({"settings": {**fresh.settings, DIALECT: {**facts(fresh), "dependsOn": list(needed)}}})


def _on_wire(named: Mapping[str, Any]) -> dict[str, Any]:
    return {_FACTS.get(name, name): value for name, value in named.items()}
