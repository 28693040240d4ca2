"""What starts an automation by itself: its schedule and its webhook, as its job's settings keep them."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.dialects.automations.definitions import ROOT
from quintet.dialects.automations.models import ConfigIn, ScheduleIn
from quintet.dialects.automations.words import AutomationWord, TriggerWord
from quintet.domain.errors import Invalid, Problem
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.secrets import Vault

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook's settings, and its secret in clear when it has just been made."""

    settings: dict[str, Any]
    secret: str | None


def check(config: ConfigIn, trigger_type: TriggerWord) -> None:
    """Raises Invalid when the trigger lacks what it needs, or the definition says what the trigger doesn't use."""
    found = []
    if trigger_type is TriggerWord.EVENT:  # of runs only: what a step of another run started
        message = "Nothing fires 'event' automations: use 'webhook', or a call_automation step"
        found.append(Problem((*ROOT[:-1], "triggerType"), message, "value_error"))
    if trigger_type is TriggerWord.SCHEDULE and config.schedule is None:
        found.append(Problem((*ROOT, "schedule"), "Field required when triggerType is 'schedule'", "missing"))
    for field, word in (("schedule", TriggerWord.SCHEDULE), ("webhook", TriggerWord.WEBHOOK)):
        if getattr(config, field) is not None and trigger_type is not word:
            found.append(Problem((*ROOT, field), f"Only used when triggerType is '{word}'", "value_error"))
    if found:
        raise Invalid(found)


def schedule_settings(asked: ScheduleIn, now: datetime, status: AutomationWord, schedules: Schedules) -> dict[str, Any]:
    """A schedule's settings with its first moment after now; a paused automation has none. Raises Invalid."""
    upcoming = next_moment(asked, now, schedules)
    moment = upcoming if status is AutomationWord.ACTIVE else None
    return {
        "cron": asked.cron,
        "timezone": asked.timezone,
        "next_at": None if moment is None else moment.isoformat().replace("+00:00", "Z"),
    }


def next_moment(asked: ScheduleIn, now: datetime, schedules: Schedules) -> datetime:
    """The schedule's first moment after now. Raises Invalid for a bad expression, zone, or one that never comes."""
    if message := schedules.fault(asked.cron, asked.timezone):
        raise _bad("timezone" if "time zone" in message else "cron", message[0].upper() + message[1:])
    upcoming = schedules.after(asked.cron, asked.timezone, now)
    if upcoming is None:
        raise _bad("cron", "This moment never comes")
    return upcoming


def _bad(field: str, message: str) -> Invalid:
    return Invalid([Problem((*ROOT, "schedule", field), message, "value_error")])


def hook(job_id: str, config: ConfigIn, was: Mapping[str, Any] | None, vault: Vault, *, rotate: bool = False) -> Hook:
    """A webhook's settings: the path asked for (else the one it has, else the job's id), and a secret, made when there is none yet."""
    before = was or {}
    path = (config.webhook.path if config.webhook else None) or before.get("path") or job_id
    if "secret" in before and not rotate:
        return Hook({"path": path, "secret": before["secret"]}, None)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    return Hook({"path": path, "secret": vault.seal(secret, secret_context(job_id))}, secret)


def secret_context(job_id: str) -> str:
    """What a webhook's secret is sealed for: it opens for no other job."""
    return f"webhook:{job_id}"
