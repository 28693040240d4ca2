"""What projects, jobs and tasks run, as the core's plans. Pure.

A task is one step of kind `task`. A job calls its enabled tasks, in the order of their `dependsOn`; a project all its enabled jobs at once.
The source of a version is what its plan follows from, so that the same source never makes a new version.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from quintet.dialects.etl.places import facts, leaving, number_of
from quintet.dialects.etl.words import DIALECT, JOB, PROJECT, TASK
from quintet.domain.definition import OnFailure, Plan, StepDef
from quintet.domain.job import Job
from quintet.domain.program import SECONDS

NOTHING = StepDef("nothing", "set", config={"values": {}})
"""What is run where there is nothing to run: a plan has at least one step."""
RUN_INPUT = "{% input %}"

Source = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A task of a job, or a job of a project, as far as the plan of the whole needs it; `after` are numbers of other members."""

    number: int
    job_id: str
    name: str
    enabled: bool
    after: tuple[int, ...] = ()

    @classmethod
    def of(cls, job: Job) -> "Member":
        """The task or job as a member."""
        enabled = job.status == "active" and not leaving(job)
        return cls(number_of(job), job.id, job.name, enabled, tuple(facts(job).get("dependsOn", ())))


def task_source(task: Mapping[str, Any]) -> Source:
    """What a task's plan follows from, of its facts."""
    config = {
        "type": task["taskType"],
        "task": task["number"],
        "program": task.get("botId"),
        "input": task.get("input"),
        "output": task["output"],
    }
    return {
        "dialect": DIALECT,
        "kind": TASK,
        "config": {name: value for name, value in config.items() if value is not None},
    }


def job_source(members: Iterable[Member]) -> Source:
    """What a job's plan follows from."""
    return {"dialect": DIALECT, "kind": JOB, "calls": [_call("task", one, needed) for one, needed in in_order(members)]}


def project_source(members: Iterable[Member], only: int | None) -> Source:
    """What a project's plan follows from; with `only` no other job than that."""
    called = [one for one in members if one.enabled and only in (None, one.number)]
    return {"dialect": DIALECT, "kind": PROJECT, "calls": [_call("job", one, ()) for one in called]}


def plan_of(source: Mapping[str, Any]) -> Plan:
    """The plan that follows from a source."""
    if source["kind"] == TASK:
        config = source["config"]
        return Plan((StepDef(TASK, TASK, config=config, timeout=SECONDS.get(config["type"])),), reaped=True)
    return Plan(tuple(_step(call) for call in source["calls"]) or (NOTHING,))


def _call(kind: str, member: Member, needed: Iterable[int]) -> dict[str, Any]:
    return {
        "key": f"{kind}_{member.number}",
        "name": member.name,
        "job": member.job_id,
        "after": [f"{kind}_{number}" for number in needed],
    }


def _step(call: Mapping[str, Any]) -> StepDef:
    return StepDef(
        key=call["key"],
        kind="subrun",
        name=call["name"],
        depends_on=tuple(call["after"]),
        config={"job_id": call["job"], "input": RUN_INPUT},
        on_failure=OnFailure.FAIL_LATER,
    )


def in_order(members: Iterable[Member]) -> list[tuple[Member, list[int]]]:
    """The enabled members by number, each with the enabled ones that come before it.

    What depends on one that is disabled follows what that one depends on. What is no member (any more) holds nobody up, and of a circle,
    which only changes at the same moment can make, one edge is left out.
    """
    known = {member.number: member for member in members}
    edges = {number: {one for one in member.after if one in known} - {number} for number, member in known.items()}
    _open_circles(edges)
    return [
        (member, sorted(_enabled_before(number, edges, known)))
        for number, member in sorted(known.items())
        if member.enabled
    ]


def circle(edges: Mapping[int, Iterable[int]]) -> list[int] | None:
    """A circle among tasks and what each depends on, the first again at the end; None when there is none."""
    try:
        TopologicalSorter({number: set(needed) for number, needed in edges.items()}).prepare()
    except CycleError as error:
        found: list[int] = list(reversed(error.args[1]))
        return found
    return None


def _open_circles(edges: dict[int, set[int]]) -> None:
    while found := circle(edges):
        last = max(found)
        edges[last].discard(found[found.index(last, 0, -1) + 1])


def _enabled_before(number: int, edges: Mapping[int, set[int]], known: Mapping[int, Member]) -> set[int]:
    found: set[int] = set()
    pending = list(edges[number])
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending.extend(() if known[one].enabled else edges[one])
    return {one for one in found if known[one].enabled}
