"""How edges between jobs and the ends of upstream runs are written down as JSON: one form for every store."""

import json
from typing import Any

from quintet.domain.dependency import Condition, JobDependency, UpstreamEnd
from quintet.domain.events import from_millis, to_millis
from quintet.domain.jsontext import compact
from quintet.domain.status import RunStatus
from quintet.services.ports.dependencies import Firing


def dependency_to_text(dependency: JobDependency) -> str:
    """An edge."""
    return compact(
        {
            "id": dependency.id,
            "j": dependency.job_id,
            "on": dependency.depends_on_job_id,
            "if": str(dependency.condition),
            "c": to_millis(dependency.created_at),
        }
    )


def dependency_from_text(text: str) -> JobDependency:
    """The edge that `dependency_to_text` wrote."""
    view = json.loads(text)
    return JobDependency(view["id"], view["j"], view["on"], Condition(view["if"]), from_millis(view["c"]))


def end_to_text(end: UpstreamEnd) -> str:
    """How an upstream run ended."""
    view: dict[str, Any] = {"j": end.job_id, "r": end.run_id, "st": str(end.status), "e": to_millis(end.ended_at)}
    if end.result is not None:
        view["res"] = end.result
    return compact(view)


def end_from_text(text: str) -> UpstreamEnd:
    """The end that `end_to_text` wrote."""
    view = json.loads(text)
    return UpstreamEnd(view["j"], view["r"], RunStatus(view["st"]), from_millis(view["e"]), view.get("res"))


def firing_to_text(firing: Firing) -> str:
    """A firing that was decided."""
    return compact({"r": firing.run_id, "in": firing.input})


def firing_from_text(text: str) -> Firing:
    """The firing that `firing_to_text` wrote."""
    view = json.loads(text)
    return Firing(view["r"], view["in"])
