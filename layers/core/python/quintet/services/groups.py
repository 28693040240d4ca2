"""Job groups: names under which a project's jobs are kept together, counted and paused."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quintet.domain.errors import Conflict
from quintet.services.jobs import REVISE_TRIES
from quintet.services.ports.groups import GroupPage, Groups, JobGroup
from quintet.services.ports.jobs import Jobs, Taken
from quintet.services.ports.world import Clock, Ids

LONGEST_SLUG = 128


def group_label(group_id: str) -> str:
    """The label of a group's jobs."""
    return f"group:{group_id}"


class JobGroups:
    """Creates, changes, lists and deletes groups."""

    def __init__(self, groups: Groups, jobs: Jobs, clock: Clock, ids: Ids) -> None:
        self._groups = groups
        self._jobs = jobs
        self._clock = clock
        self._ids = ids

    def create(self, project: str, name: str, *, slug: str | None = None, description: str | None = None) -> JobGroup:
        """A new group; its slug, when none is given, is made of its name. Raises Taken."""
        now, group_id = self._clock.now(), self._ids.new()
        group = JobGroup(group_id, project, name, slug or _slug(name) or group_id, now, now, description)
        self._groups.create(group)
        return group

    def get(self, project: str, group_id: str) -> JobGroup:
        """Raises NotFound, also for another project's."""
        return self._groups.get(project, group_id)

    def page(self, project: str, limit: int, cursor: str | None = None) -> GroupPage:
        """A project's groups, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        return self._groups.page(project, limit, cursor)

    def update(self, project: str, group_id: str, changes: Mapping[str, Any]) -> JobGroup:
        """Changes its name, slug or description. Raises NotFound, Taken, Conflict."""
        for _ in range(REVISE_TRIES):
            try:
                return self._update(project, group_id, changes)
            except Taken:
                raise
            except Conflict:
                continue
        return self._update(project, group_id, changes)

    def _update(self, project: str, group_id: str, changes: Mapping[str, Any]) -> JobGroup:
        was = self._groups.get(project, group_id)
        group = replace(was, **changes)
        if group == was:
            return was
        group = replace(group, updated_at=self._clock.now())
        self._groups.update(group, was)
        return group

    def delete(self, project: str, group_id: str) -> None:
        """Deletes a group without jobs; one that is given to it meanwhile goes on with a label of no group. Raises NotFound, Conflict."""
        group = self._groups.get(project, group_id)
        page = self._jobs.browse(project, "jobs", group_label(group_id), 1)
        if page.jobs or page.cursor is not None:
            raise Conflict(f"job group {group_id} still has jobs")
        self._groups.delete(group)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower())[:LONGEST_SLUG].strip("-")
