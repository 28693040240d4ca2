"""How runs, jobs, versions, events and keys are written down as JSON: one form for every store.

Times are milliseconds since 1970; what has its default is left out, since stored bytes are billed.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from quintet.domain.definition import plan_from_dict, plan_to_dict
from quintet.domain.events import Event, event_from_dict, event_to_dict, from_millis, to_millis
from quintet.domain.job import Job, JobVersion
from quintet.domain.jsontext import compact
from quintet.domain.run import Parent, Run, Slot, Trigger
from quintet.domain.status import RunStatus
from quintet.services.ports.keys import Key


def pack(value: Any) -> str:
    """Compact JSON text."""
    return compact(value)


def events_to_text(events: Iterable[Event]) -> str:
    """Events as one JSON text."""
    return pack([event_to_dict(event) for event in events])


def events_from_text(text: str) -> list[Event]:
    """The events that `events_to_text` wrote."""
    return [event_from_dict(packed) for packed in json.loads(text)]


def _moment(millis: int | None) -> datetime | None:
    return None if millis is None else from_millis(millis)


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def run_to_text(run: Run) -> str:
    """A run's face without its id and project, which every place that holds this text has as keys."""
    view: dict[str, Any] = {
        "j": run.job_id,
        "v": run.version,
        "w": run.version_id,
        "st": str(run.status),
        "c": to_millis(run.created_at),
        "u": to_millis(run.updated_at),
    }
    view |= _present(s=_millis(run.started_at), e=_millis(run.ended_at), ck=run.concurrency_key, x=run.external_id)
    if run.error is not None:
        view["err"] = dict(run.error)
    if run.trigger != Trigger():
        view["t"] = [run.trigger.type, run.trigger.source_type, run.trigger.source_id]
    if run.parent is not None:
        view["p"] = [run.parent.run_id, run.parent.path, run.parent.token]
    if run.slots:
        view["sl"] = [[slot.name, slot.limit] for slot in run.slots]
    return pack(view | _present(pr=run.priority or None, dp=run.depth or None, i=run.item))


def run_from_text(run_id: str, project: str, text: str) -> Run:
    """The run that `run_to_text` wrote."""
    view = json.loads(text)
    return Run(
        id=run_id,
        project=project,
        job_id=view["j"],
        version=view["v"],
        version_id=view["w"],
        status=RunStatus(view["st"]),
        created_at=from_millis(view["c"]),
        updated_at=from_millis(view["u"]),
        started_at=_moment(view.get("s")),
        ended_at=_moment(view.get("e")),
        error=view.get("err"),
        trigger=Trigger(*view["t"]) if "t" in view else Trigger(),
        concurrency_key=view.get("ck"),
        external_id=view.get("x"),
        parent=Parent(*view["p"]) if "p" in view else None,
        slots=tuple(Slot(name, limit) for name, limit in view.get("sl", ())),
        priority=view.get("pr", 0),
        depth=view.get("dp", 0),
        item=view.get("i"),
    )


def job_to_text(job: Job) -> str:
    """A job's whole face."""
    view: dict[str, Any] = {
        "id": job.id,
        "p": job.project,
        "d": job.dialect,
        "n": job.name,
        "v": job.version,
        "w": job.version_id,
        "c": to_millis(job.created_at),
        "u": to_millis(job.updated_at),
        "st": job.status,
        "t": job.trigger_type,
    }
    if job.description is not None:
        view["ds"] = job.description
    if job.settings:
        view["se"] = dict(job.settings)
    return pack(view)


def job_from_text(text: str) -> Job:
    """The job that `job_to_text` wrote."""
    view = json.loads(text)
    return Job(
        id=view["id"],
        project=view["p"],
        dialect=view["d"],
        name=view["n"],
        version=view["v"],
        version_id=view["w"],
        created_at=from_millis(view["c"]),
        updated_at=from_millis(view["u"]),
        description=view.get("ds"),
        status=view["st"],
        trigger_type=view["t"],
        settings=view.get("se", {}),
    )


def version_to_text(version: JobVersion) -> str:
    """A version with its plan and source."""
    view = {
        "id": version.id,
        "j": version.job_id,
        "v": version.version,
        "c": to_millis(version.created_at),
        "plan": plan_to_dict(version.plan),
        "source": dict(version.source),
    }
    return pack(view)


def version_from_text(text: str) -> JobVersion:
    """The version that `version_to_text` wrote."""
    view = json.loads(text)
    return JobVersion(
        view["id"], view["j"], view["v"], plan_from_dict(view["plan"]), view["source"], from_millis(view["c"])
    )


def key_to_text(key: Key) -> str:
    """An API key's record."""
    view: dict[str, Any] = {
        "id": key.id,
        "p": key.project,
        "ns": key.namespace,
        "n": key.name,
        "pre": key.prefix,
        "sc": sorted(key.scopes),
        "c": to_millis(key.created_at),
    }
    if key.owner is not None:
        view["o"] = key.owner
    moments = _present(ex=_millis(key.expires_at), rv=_millis(key.revoked_at), lu=_millis(key.last_used_at))
    return pack(view | moments)


def key_from_text(text: str) -> Key:
    """The key that `key_to_text` wrote."""
    view = json.loads(text)
    return Key(
        id=view["id"],
        project=view["p"],
        namespace=view["ns"],
        name=view["n"],
        prefix=view["pre"],
        scopes=frozenset(view["sc"]),
        created_at=from_millis(view["c"]),
        owner=view.get("o"),
        expires_at=_moment(view.get("ex")),
        revoked_at=_moment(view.get("rv")),
        last_used_at=_moment(view.get("lu")),
    )


LOG_CHARACTERS = 90_000


def log_message(message: str) -> str:
    """A log line's text, cut where an item would no longer hold it."""
    return message if len(message) <= LOG_CHARACTERS else message[:LOG_CHARACTERS] + "… (cut)"


# --- what stores read out of a job's settings ----------------------------------------------------------------------------------


def hook_path(job: Job) -> str | None:
    """The webhook path that a job claims (settings `webhook.path`)."""
    webhook = job.settings.get("webhook")
    return webhook.get("path") if isinstance(webhook, Mapping) else None


def next_moment(job: Job) -> datetime | None:
    """A job's next scheduled moment (settings `schedule.next_at`, ISO 8601 or milliseconds since 1970)."""
    schedule = job.settings.get("schedule")
    stored = schedule.get("next_at") if isinstance(schedule, Mapping) else None
    if isinstance(stored, str):
        return from_millis(to_millis(datetime.fromisoformat(stored)))
    return _moment(stored)


def with_next_moment(job: Job, moment: datetime | None) -> dict[str, Any]:
    """The job's settings with its next moment replaced, in the form it had."""
    settings = dict(job.settings)
    schedule = dict(settings.get("schedule") or {})
    as_text = isinstance(schedule.get("next_at"), str)
    if moment is None:
        schedule["next_at"] = None
    else:
        schedule["next_at"] = moment.isoformat().replace("+00:00", "Z") if as_text else to_millis(moment)
    settings["schedule"] = schedule
    return settings
