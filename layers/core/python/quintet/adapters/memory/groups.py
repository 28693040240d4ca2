"""Job groups in memory."""

from threading import RLock

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.job_records import group_from_text, group_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.groups import GroupPage, JobGroup
from quintet.services.ports.jobs import Taken


class MemoryGroups:
    """Port Groups in a dictionary."""

    def __init__(self) -> None:
        self._groups: dict[str, JobGroup] = {}
        self._lock = RLock()

    def create(self, group: JobGroup) -> None:
        """Writes a new group. Raises Taken for its slug, Conflict."""
        with self._lock:
            self._claim(group)
            if group.id in self._groups:
                raise Conflict(f"job group {group.id} exists")
            self._groups[group.id] = _as_stored(group)

    def get(self, project: str, group_id: str) -> JobGroup:
        """Raises NotFound, also for another project's."""
        with self._lock:
            group = self._groups.get(group_id)
        if group is None or group.project != project:
            raise NotFound(f"no job group {group_id}")
        return group

    def update(self, group: JobGroup, was: JobGroup) -> None:
        """Replaces what it `was`. Raises Taken for its slug, Conflict when it is no longer that, NotFound."""
        with self._lock:
            stored = self.get(was.project, was.id)
            self._claim(group)
            if stored != was:
                raise Conflict(f"job group {group.id} was changed meanwhile")
            self._groups[group.id] = _as_stored(group)

    def _claim(self, group: JobGroup) -> None:
        others = (one for one in self._groups.values() if one.id != group.id and one.project == group.project)
        if any(one.slug == group.slug for one in others):
            raise Taken("slug", group.slug)

    def delete(self, group: JobGroup) -> None:
        """Removes the group and frees its slug. Raises NotFound."""
        with self._lock:
            del self._groups[self.get(group.project, group.id).id]

    def page(self, project: str, limit: int, cursor: str | None = None) -> GroupPage:
        """A project's groups, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_cursor("groups", cursor)
        if limit <= 0:
            return GroupPage([])
        with self._lock:
            groups = [one for one in self._groups.values() if one.project == project]
        after = sorted((one for one in groups if place is None or one.id < place), key=lambda one: one.id, reverse=True)
        more = len(after) > limit
        return GroupPage(after[:limit], to_cursor("groups", after[limit - 1].id) if more else None)


def _as_stored(group: JobGroup) -> JobGroup:
    return group_from_text(group_to_text(group))
