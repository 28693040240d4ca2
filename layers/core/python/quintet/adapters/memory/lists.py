"""Lists of runs in memory: by project and status, by cursor, by how they ended; and counts."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from quintet.adapters.browsing import EXAMINED, index_of, matches
from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.memory.creation import MemoryCreation
from quintet.adapters.memory.journal import Kept
from quintet.domain.events import to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Ended, RunList, RunPage


class MemoryLists(MemoryCreation):
    """The part of port Runs that reads many runs."""

    def _listed(self, project: str, statuses: Sequence[RunStatus] | None) -> list[Kept]:
        return [
            kept
            for kept in self._runs.values()
            if kept.project == project and (statuses is None or kept.status in statuses)
        ]

    def page(self, project: str, statuses: Sequence[RunStatus] | None, limit: int, offset: int) -> list[Run]:
        """A project's runs, newest first, of the statuses (None: all)."""
        with self._lock:
            found = sorted(self._listed(project, statuses), key=lambda kept: kept.id, reverse=True)
            return [kept.run for kept in found[offset : offset + limit]]

    def count(self, project: str, statuses: Sequence[RunStatus] | None) -> int:
        """How many runs `page` ranges over."""
        with self._lock:
            return len(self._listed(project, statuses))

    def counts(self, project: str, group: str | None = None) -> dict[RunStatus, int]:
        """How many of a project's runs, or of a job group's, stand in each status."""
        with self._lock:
            found = [kept.status for kept in self._listed(project, None) if group is None or kept.run.group == group]
        return {status: found.count(status) for status in RunStatus}

    def browse(self, wanted: RunList, limit: int, cursor: str | None = None) -> RunPage:
        """Up to `limit` runs of a list, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        index = index_of(wanted)
        after = from_cursor(index, cursor)
        runs: list[Run] = []
        if limit <= 0:
            return RunPage(runs)
        with self._lock:
            entries = [run for run in self._entries(wanted, index) if after is None or run.id < after]
        for examined, run in enumerate(entries):
            if len(runs) == limit or examined == EXAMINED:
                return RunPage(runs, to_cursor(index, entries[examined - 1].id))
            if matches(run, wanted):
                runs.append(run)
        return RunPage(runs)

    def _entries(self, wanted: RunList, index: str) -> list[Run]:
        """What the list's index holds, newest first."""
        if index == "label":
            labelled = self._labels.get((wanted.project, wanted.label or ""), set())
            found = [self._runs[run_id].run for run_id in labelled]
        elif index == "job":
            found = [kept.run for kept in self._runs.values()]
            found = [run for run in found if run.job_id == wanted.job_id and run.item is None]
        else:
            statuses = None if index == "project" else sorted(wanted.statuses or ())
            found = [kept.run for kept in self._listed(wanted.project, statuses)]
        return sorted(found, key=lambda run: run.id, reverse=True)

    def ended(self, job_id: str, since: datetime, until: datetime) -> Iterator[Ended]:
        """How a job's followed runs ended from `since` on and before `until`, oldest first."""
        with self._lock:
            runs = [kept.run for kept in self._runs.values() if kept.status.terminal]
        found = [
            Ended(run.id, run.status, run.ended_at or run.updated_at, run.duration)
            for run in runs
            if run.job_id == job_id and run.follows and run.item is None
        ]
        low, high = to_millis(since), to_millis(until)
        within = [one for one in found if low <= to_millis(one.ended_at) < high]
        return iter(sorted(within, key=lambda one: (to_millis(one.ended_at), one.run_id)))
