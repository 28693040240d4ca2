"""Lists of runs by cursor: each page reads on in an index from the last run of the page before."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from quintet.adapters.browsing import EXAMINED, index_of, matches, whole
from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.dynamodb.claims import label_key
from quintet.adapters.dynamodb.items import META, end_key, project_status, run_key, run_of
from quintet.adapters.dynamodb.slots import counted
from quintet.adapters.dynamodb.table import Item, Table, text
from quintet.domain.events import from_millis, to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Ended, RunList, RunPage

_STEP = 100


class RunBrowse:
    """The part of port Runs that lists by cursor, and counts."""

    table: Table

    def browse(self, wanted: RunList, limit: int, cursor: str | None = None) -> RunPage:
        """Up to `limit` runs of a list, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        index = index_of(wanted)
        after = from_cursor(index, cursor)
        runs: list[Run] = []
        last = ""
        if limit <= 0:
            return RunPage(runs)
        for examined, (run_id, run) in enumerate(self._listed(wanted, index, after, limit)):
            if len(runs) == limit or examined == EXAMINED:
                return RunPage(runs, to_cursor(index, last))
            last = run_id
            if run is not None and matches(run, wanted):
                runs.append(run)
        return RunPage(runs)

    def counts(self, project: str, group: str | None = None) -> dict[RunStatus, int]:
        """How many of a project's runs, or of a job group's, stand in each status."""
        found = counted(self.table, project, group)
        return {status: found.get(str(status), 0) for status in RunStatus}

    def ended(self, job_id: str, since: datetime, until: datetime) -> Iterator[Ended]:
        """How a job's followed runs ended from `since` on and before `until`, oldest first."""
        entries = self.table.query(
            IndexName="by_end",
            KeyConditionExpression="job_id = :job AND end_at BETWEEN :since AND :until",
            ExpressionAttributeValues={
                ":job": text(job_id),
                ":since": text(end_key(to_millis(since), "")),
                ":until": text(end_key(to_millis(until), "")),
            },
        )
        return map(_ended, entries)

    # --- the indexes -----------------------------------------------------------------------------------------------------------

    def _listed(self, wanted: RunList, index: str, after: str | None, limit: int) -> Iterator[tuple[str, Run | None]]:
        step = min(limit + 1, _STEP) if whole(wanted) else _STEP
        if index == "label":
            params = _newest_first("pk", label_key(wanted.project, wanted.label or ""), "sk", after)
            yield from self._looked_up(self.table.query(**params, Limit=step, ConsistentRead=True), "sk", step)
        elif index == "job":
            params = _newest_first("job_id", wanted.job_id or "", "id", after) | {"IndexName": "by_job"}
            yield from self._looked_up(self.table.query(**params, Limit=step), "id", step)
        elif index == "status":
            yield from self._of_statuses(wanted, after, step)
        else:
            params = _newest_first("project", wanted.project, "id", after) | {"IndexName": "by_project"}
            yield from ((item["id"]["S"], run_of(item)) for item in self.table.query(**params, Limit=step))

    def _looked_up(self, entries: Iterator[Item], ids: str, step: int) -> Iterator[tuple[str, Run | None]]:
        while chunk := [entry[ids]["S"] for entry in islice(entries, step)]:
            items = self.table.get_many((run_key(run_id), META) for run_id in chunk)
            for run_id in chunk:
                item = items.get((run_key(run_id), META))
                yield run_id, None if item is None else run_of(item)

    def _of_statuses(self, wanted: RunList, after: str | None, step: int) -> Iterator[tuple[str, Run | None]]:
        """Of several statuses each is read newest first, only as far as the merge needs it."""
        streams: list[Iterator[Item]] = []
        for status in sorted(wanted.statuses or ()):
            params = _newest_first("project_status", project_status(wanted.project, status), "id", after)
            streams.append(self.table.query(**params, IndexName="by_status", Limit=step))
        last = None
        for item in heapq.merge(*streams, key=lambda item: item["id"]["S"], reverse=True):
            if item["id"]["S"] != last:  # a run that changes its status meanwhile may come twice
                last = item["id"]["S"]
                yield last, run_of(item)


def _newest_first(attribute: str, value: str, ids: str, after: str | None) -> dict[str, Any]:
    values = {":value": text(value)} | ({} if after is None else {":after": text(after)})
    older = "" if after is None else f" AND {ids} < :after"
    return {
        "KeyConditionExpression": f"#list = :value{older}",
        "ExpressionAttributeNames": {"#list": attribute},  # `project` is a word that DynamoDB reserves
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
    }


def _ended(entry: Item) -> Ended:
    millis, _, run_id = entry["end_at"]["S"].partition("#")
    status, _, took = entry["outcome"]["S"].partition(" ")
    seconds = None if took == "-" else int(took) / 1000
    return Ended(run_id, RunStatus(status), from_millis(int(millis)), seconds)
