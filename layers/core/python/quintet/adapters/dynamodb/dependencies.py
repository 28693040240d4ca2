"""The edges between jobs in DynamoDB, in the jobs' table.

DEPS#<job>         <upstream job>     an edge (`view`), `edge_id`
DEPENDANTS#<job>   <downstream job>   the same edge, seen from the other end
DEPREV#<project>   #REV               `rev` counts the edges ever added
LAST#<job>         #LAST              how the job's last run ended
JOIN#<job>         FIRING#<run>       a downstream run that is to be started
JOIN#<job>         NOTE#<upstream>    an upstream's newest end that started nothing yet
JOIN#<job>         SEEN#<run>         the upstream run was heard; `alone`: it starts a run by itself. Expires
WAITS#<job>        <run id>           a run that waits for the job's dependencies
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from quintet.adapters.dependency_records import (
    dependency_from_text,
    dependency_to_text,
    end_from_text,
    end_to_text,
    firing_from_text,
    firing_to_text,
)
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, number, text
from quintet.domain.dependency import JobDependency, UpstreamEnd
from quintet.domain.events import to_millis
from quintet.services.ports.dependencies import Firing, Join

SEEN_SECONDS = 30 * 86_400
"""How long a run's end is known to have been heard: far longer than anybody repeats it."""
AT_ONCE = 100  # operations of one transaction
_NEW = "attribute_not_exists(pk)"
_LATER = "attribute_not_exists(pk) OR ended_ms < :ended OR (ended_ms = :ended AND run_id <= :run)"


class DynamoDependencies:
    """Port DependencyStore on the jobs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    # --- edges -----------------------------------------------------------------------------------------------------------------

    def revision(self, project: str) -> int:
        """Counts the edges ever added in a project."""
        item = self._table.get(f"DEPREV#{project}", "#REV")
        return 0 if item is None else int(item["rev"]["N"])

    def add(self, project: str, dependency: JobDependency, revision: int, stale: Sequence[str] = ()) -> bool:
        """Writes an edge and forgets the `stale` upstreams' ends; False when the project is past that revision."""
        counted = {
            "Key": key(f"DEPREV#{project}", "#REV"),
            "UpdateExpression": "SET rev = :next",
            "ConditionExpression": "rev = :rev" if revision else _NEW,
            "ExpressionAttributeValues": {":next": number(revision + 1)}
            | ({":rev": number(revision)} if revision else {}),
        }
        down, up = dependency.job_id, dependency.depends_on_job_id
        edge = {"view": text(dependency_to_text(dependency)), "edge_id": text(dependency.id)}
        changes: list[Operation] = [
            ("revision", "Update", counted),
            ("edge", "Put", {"Item": key(f"DEPS#{down}", up) | edge}),
            ("reverse", "Put", {"Item": key(f"DEPENDANTS#{up}", down) | edge}),
        ]
        changes += [("stale", "Delete", {"Key": key(f"JOIN#{down}", f"NOTE#{name}")}) for name in dict.fromkeys(stale)]
        return self._done(changes)

    def remove(self, dependency: JobDependency) -> None:
        """Removes an edge and its upstream's end from the join; nothing when it is gone."""
        down, up = dependency.job_id, dependency.depends_on_job_id
        this = {
            "ConditionExpression": "attribute_not_exists(pk) OR edge_id = :id",
            "ExpressionAttributeValues": {":id": text(dependency.id)},
        }
        changes: list[Operation] = [
            ("edge", "Delete", {"Key": key(f"DEPS#{down}", up), **this}),
            ("reverse", "Delete", {"Key": key(f"DEPENDANTS#{up}", down), **this}),
            ("note", "Delete", {"Key": key(f"JOIN#{down}", f"NOTE#{up}")}),
        ]
        self._done(changes)

    def _done(self, changes: list[Operation]) -> bool:
        try:
            self._table.transact(lambda _: changes)
        except Refused:
            return False
        return True

    def of(self, job_id: str) -> list[JobDependency]:
        """What a job depends on, oldest edge first."""
        return self._edges(f"DEPS#{job_id}")

    def dependants(self, job_id: str) -> list[JobDependency]:
        """What depends on a job, oldest edge first."""
        return self._edges(f"DEPENDANTS#{job_id}")

    def _edges(self, pk: str) -> list[JobDependency]:
        return sorted((dependency_from_text(item["view"]["S"]) for item in self._all(pk)), key=lambda one: one.id)

    def _all(self, pk: str, low: str = " ", high: str = "~") -> list[Item]:
        values = {":pk": text(pk), ":low": text(low), ":high": text(high)}
        condition = "pk = :pk AND sk BETWEEN :low AND :high"
        query = partial(self._table.query, KeyConditionExpression=condition, ExpressionAttributeValues=values)
        return list(query(ConsistentRead=True))

    # --- what was heard --------------------------------------------------------------------------------------------------------

    def keep_last(self, end: UpstreamEnd) -> None:
        """Keeps how a job's run ended (not its result), unless a later end is kept."""
        kept = UpstreamEnd(end.job_id, end.run_id, end.status, end.ended_at)
        put = _end_put(f"LAST#{end.job_id}", "#LAST", kept)
        try:
            self._table.put(put.pop("Item"), **put)
        except Refused:
            return

    def last(self, job_ids: Sequence[str]) -> dict[str, UpstreamEnd]:
        """The last end of each of these jobs that has one."""
        found = self._table.get_many((f"LAST#{job_id}", "#LAST") for job_id in dict.fromkeys(job_ids))
        ends = (end_from_text(item["view"]["S"]) for item in found.values())
        return {end.job_id: end for end in ends}

    def stand_alone(self, job_id: str, end: UpstreamEnd) -> bool:
        """Marks that an upstream's end starts a run of the job by itself; False when it was noted in its join."""
        try:
            self._table.put(
                _seen(job_id, end, alone=True),
                ConditionExpression=f"{_NEW} OR alone = :true",
                ExpressionAttributeValues={":true": {"BOOL": True}},
            )
        except Refused:
            return False
        return True

    def note(self, job_id: str, end: UpstreamEnd) -> None:
        """Notes an upstream's end in a job's join: once for each run, and not in place of a later one's."""
        seen = {"Item": _seen(job_id, end, alone=False), "ConditionExpression": _NEW}
        noted = _end_put(f"JOIN#{job_id}", f"NOTE#{end.job_id}", end)
        changes: list[Operation] = [("seen", "Put", seen), ("noted", "Put", noted)]
        try:
            self._table.transact(lambda _: changes)
        except Refused as refused:
            if "seen" not in refused.labels:  # a later end is noted: this one has had its turn
                self._done(changes[:1])

    def join(self, job_id: str) -> Join:
        """A job's join as it stands."""
        ends: dict[str, UpstreamEnd] = {}
        firings = []
        for item in self._all(f"JOIN#{job_id}", "FIRING#", "NOTE#~"):
            if item["sk"]["S"].startswith("FIRING#"):
                firings.append(firing_from_text(item["view"]["S"]))
            else:
                end = end_from_text(item["view"]["S"])
                ends[end.job_id] = end
        return Join(ends, firings)

    def consume(self, job_id: str, ends: Sequence[UpstreamEnd], firing: Firing) -> bool:
        """Takes these ends out of the join and keeps the firing; False when they are not all there any more."""
        changes: list[Operation] = []
        for end in ends:
            there = {"ConditionExpression": "run_id = :run", "ExpressionAttributeValues": {":run": text(end.run_id)}}
            changes.append(("noted", "Delete", {"Key": key(f"JOIN#{job_id}", f"NOTE#{end.job_id}"), **there}))
        item = key(f"JOIN#{job_id}", f"FIRING#{firing.run_id}") | {"view": text(firing_to_text(firing))}
        return self._done([*changes, ("firing", "Put", {"Item": item})])

    def fired(self, job_id: str, firing: Firing) -> None:
        """The firing is done."""
        self._delete([(f"JOIN#{job_id}", f"FIRING#{firing.run_id}")])

    # --- waiting runs ----------------------------------------------------------------------------------------------------------

    def wait(self, job_id: str, run_id: str) -> None:
        """Registers a run that waits for its job's dependencies."""
        self._table.put(key(f"WAITS#{job_id}", run_id))

    def waiting(self, job_id: str) -> list[str]:
        """The runs that wait, oldest first."""
        return [item["sk"]["S"] for item in self._all(f"WAITS#{job_id}")]

    def forget(self, job_id: str, run_id: str) -> None:
        """The run does not wait any more."""
        self._delete([(f"WAITS#{job_id}", run_id)])

    def drop(self, job_id: str) -> None:
        """Removes all that is kept for a job except edges."""
        items = [*self._all(f"JOIN#{job_id}"), *self._all(f"WAITS#{job_id}")]
        self._delete([(f"LAST#{job_id}", "#LAST"), *((item["pk"]["S"], item["sk"]["S"]) for item in items)])

    def _delete(self, keys: Sequence[tuple[str, str]]) -> None:
        for first in range(0, len(keys), AT_ONCE):
            part: list[Operation] = [("gone", "Delete", {"Key": key(*one)}) for one in keys[first : first + AT_ONCE]]
            self._done(part)


# --- items ---------------------------------------------------------------------------------------------------------------------


def _end_put(pk: str, sk: str, end: UpstreamEnd) -> dict[str, Any]:
    """Writes an end where none, or an earlier one, is."""
    ended, run = number(to_millis(end.ended_at)), text(end.run_id)
    item = key(pk, sk) | {"view": text(end_to_text(end)), "ended_ms": ended, "run_id": run}
    return {
        "Item": item,
        "ConditionExpression": _LATER,
        "ExpressionAttributeValues": {":ended": ended, ":run": run},
    }


def _seen(job_id: str, end: UpstreamEnd, *, alone: bool) -> Item:
    item = key(f"JOIN#{job_id}", f"SEEN#{end.run_id}") | {"alone": {"BOOL": alone}}
    return item | {"ttl": number(to_millis(end.ended_at) // 1000 + SEEN_SECONDS)}
