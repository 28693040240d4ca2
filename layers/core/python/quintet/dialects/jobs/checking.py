"""Checks of a job that need more than the job: its URLs, its schemas, its group, its tasks, whether its slug is free."""

from collections.abc import Iterator, Mapping
from typing import Any

from quintet.dialects.jobs import definitions, workflow_steps
from quintet.dialects.jobs.definitions import DIALECT
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.web.engine import Engine

_URLS = ("endpoint_url", "fallback_endpoint_url", "webhook_url")
_SCHEMAS = ("payload_schema", "result_schema")
_CRONS = ("cron", "execution_window_cron")
_EVERY_MINUTE = "* * * * *"


class Checking:
    """The checks for one project; what was found out is remembered, since a batch asks the same again and again."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._refusals: dict[str, str | None] = {}
        self._groups: dict[str, bool] = {}

    def __call__(self, fields: Mapping[str, Any], was: Mapping[str, Any] | None = None) -> None:
        """Raises Invalid with every fault of a job's fields. What has not changed since `was` is not looked up again."""
        before = was or {}
        changed = {name: value for name, value in fields.items() if name not in before or before[name] != value}
        if found := [*definitions.faults(fields), *self._times(fields), *self._looked_up(changed)]:
            raise Invalid(found)

    def taken(self, slug: str) -> bool:
        """True when a job of the project has this slug."""
        try:
            self._engine.jobs.by_slug(self._project, DIALECT, slug)
        except NotFound:
            return False
        return True

    def _times(self, fields: Mapping[str, Any]) -> Iterator[Problem]:
        schedules, zone = self._engine.schedules, fields.get("timezone", "UTC")
        if fault := schedules.fault(_EVERY_MINUTE, zone):
            yield Problem(("timezone",), fault)
            zone = "UTC"
        for field in _CRONS:
            if field in fields and (fault := schedules.fault(fields[field], zone)):
                yield Problem((field,), fault)

    def _looked_up(self, changed: Mapping[str, Any]) -> Iterator[Problem]:
        for field in _URLS:
            if field in changed and (refusal := self._refusal(changed[field])):
                yield Problem((field,), refusal)
        for field in _SCHEMAS:
            if field in changed and (fault := self._engine.schemas.fault(changed[field])):
                yield Problem((field,), fault)
        if "group_id" in changed and not self._has_group(changed["group_id"]):
            yield Problem(("group_id",), "no such job group")
        if "tasks" in changed:
            steps = workflow_steps.read(changed["tasks"], ("tasks",))
            yield from workflow_steps.faults(self._engine, self._project, steps, ("tasks",))

    def _refusal(self, url: str) -> str | None:
        if url not in self._refusals:
            # A step's URL may be an expression; a job's is called as it stands.
            self._refusals[url] = "no URL holds {%" if "{%" in url else self._engine.guard_url.refusal(url)
        return self._refusals[url]

    def _has_group(self, group_id: str) -> bool:
        if group_id not in self._groups:
            try:
                self._engine.groups.get(self._project, group_id)
            except NotFound:
                self._groups[group_id] = False
            else:
                self._groups[group_id] = True
        return self._groups[group_id]
