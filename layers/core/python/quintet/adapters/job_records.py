"""How jobs, their versions and groups are written down as JSON, like everything in `records`; and what stores read out of a job."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quintet.adapters.records import pack
from quintet.domain.definition import plan_from_dict, plan_to_dict
from quintet.domain.events import from_millis, to_millis
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import VersionPolicy
from quintet.domain.terms import QueueStrategy, RateLimit, Terms
from quintet.services.ports.groups import JobGroup

_TERMS = {
    "mc": "max_concurrency",
    "mk": "max_concurrency_per_key",
    "dd": "dedup_window",
    "db": "debounce_window",
    "bw": "batch_window",
    "bs": "batch_size",
    "wc": "window_cron",
    "tz": "timezone",
    "tl": "ttl",
    "po": "policy",
    "co": "compatible",
    "sk": "skip_if_running",
    "ps": "payload_schema",
    "g": "group",
    "f": "follows",
    "ql": "queue_limit",
    "qs": "queue_strategy",
    "qp": "queue_partition_limit",
    "sd": "start_delay",
}
_NO_TERMS = Terms()


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
    if job.slug is not None:
        view["sg"] = job.slug
    if job.labels:
        view["l"] = sorted(job.labels)
    if terms := _terms_to_dict(job.terms):
        view["tm"] = terms
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
        slug=view.get("sg"),
        labels=frozenset(view.get("l", ())),
        terms=_terms_from_dict(view["tm"]) if "tm" in view else _NO_TERMS,
    )


def _terms_to_dict(terms: Terms) -> dict[str, Any]:
    given = {short: getattr(terms, name) for short, name in _TERMS.items()}
    found = {short: value for short, value in given.items() if value != getattr(_NO_TERMS, _TERMS[short])}
    if terms.rates:
        found["r"] = [[rate.most, rate.window, *([] if rate.name is None else [rate.name])] for rate in terms.rates]
    return found


def _terms_from_dict(view: Mapping[str, Any]) -> Terms:
    fields = {name: view[short] for short, name in _TERMS.items() if short in view}
    if "policy" in fields:
        fields["policy"] = VersionPolicy(fields["policy"])
    if "queue_strategy" in fields:
        fields["queue_strategy"] = QueueStrategy(fields["queue_strategy"])
    return Terms(rates=tuple(RateLimit(*rate) for rate in view.get("r", ())), **fields)


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


def group_to_text(group: JobGroup) -> str:
    """A group's record."""
    view: dict[str, Any] = {
        "id": group.id,
        "p": group.project,
        "n": group.name,
        "sg": group.slug,
        "c": to_millis(group.created_at),
        "u": to_millis(group.updated_at),
    }
    if group.description is not None:
        view["ds"] = group.description
    return pack(view)


def group_from_text(text: str) -> JobGroup:
    """The group that `group_to_text` wrote."""
    view = json.loads(text)
    return JobGroup(
        view["id"], view["p"], view["n"], view["sg"], from_millis(view["c"]), from_millis(view["u"]), view.get("ds")
    )


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
    return None if stored is None else from_millis(stored)


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
