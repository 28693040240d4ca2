"""A job's completion webhook as its settings keep it: `webhook_out {url, secrets: [{sealed, until?}, ...]}`, the newest secret first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SETTING = "webhook_out"
ROTATION = timedelta(hours=24)
"""How long a secret stays valid beside the one that replaced it."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as the vault gave it back; valid `until`, None: until it is replaced."""

    sealed: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a job's completions are told, and what signs them."""

    url: str
    secrets: tuple[SealedSecret, ...] = ()

    def valid(self, now: datetime) -> list[str]:
        """The secrets that sign now, sealed, newest first."""
        return [secret.sealed for secret in self.secrets if secret.until is None or secret.until > now]


def secret_context(job_id: str) -> str:
    """What a job's webhook secrets are sealed for: they open for no other job."""
    return f"webhook:{job_id}"


def hook_of(settings: Mapping[str, Any]) -> Hook | None:
    """The completion webhook that a job's settings name."""
    kept = settings.get(SETTING)
    if not isinstance(kept, Mapping) or not kept.get("url"):
        return None
    secrets = tuple(SealedSecret(one["sealed"], _moment(one.get("until"))) for one in kept.get("secrets", ()))
    return Hook(str(kept["url"]), secrets)


def hook_settings(hook: Hook) -> dict[str, Any]:
    """What the job's settings keep under `webhook_out`."""
    secrets: list[dict[str, str]] = []
    for secret in hook.secrets:
        kept = {"sealed": secret.sealed}
        if secret.until is not None:
            kept["until"] = secret.until.isoformat().replace("+00:00", "Z")
        secrets.append(kept)
    return {"url": hook.url, "secrets": secrets}


def rotated(secrets: tuple[SealedSecret, ...], sealed: str, now: datetime) -> tuple[SealedSecret, ...]:
    """The secrets with a new one in front; those before it stay valid for a day, and those whose day is over go."""
    old = (SealedSecret(secret.sealed, min(secret.until or now + ROTATION, now + ROTATION)) for secret in secrets)
    return (SealedSecret(sealed), *(secret for secret in old if secret.until is not None and secret.until > now))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
