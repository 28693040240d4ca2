"""A job's completion webhook, and the secrets that sign what is sent for the job, as its settings keep them.

`webhook_out {url}`, and with or without it `signing {secrets: [{sealed, until?}, ...]}`, the newest first. They are no part of versions:
what is sent is signed by the secrets that the job has then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from quintet.domain.errors import NotFound
from quintet.domain.run import Run
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Clock

HOOK = "webhook_out"
SIGNING = "signing"
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
        return valid(self.secrets, now)


def secret_context(job_id: str) -> str:
    """What a job's webhook secrets are sealed for: they open for no other job."""
    return f"webhook:{job_id}"


def hook_of(settings: Mapping[str, Any]) -> Hook | None:
    """The completion webhook that a job's settings name."""
    kept = settings.get(HOOK)
    if not isinstance(kept, Mapping) or not kept.get("url"):
        return None
    return Hook(str(kept["url"]), secrets_of(settings))


def secrets_of(settings: Mapping[str, Any]) -> tuple[SealedSecret, ...]:
    """The secrets that a job's settings keep, newest first; among them may be some whose time is over."""
    kept = settings.get(SIGNING) or {}
    return tuple(SealedSecret(one["sealed"], _moment(one.get("until"))) for one in kept.get("secrets", ()))


def hook_settings(url: str | None, secrets: Sequence[SealedSecret]) -> dict[str, Any]:
    """What the job's settings keep of both."""
    settings: dict[str, Any] = {} if url is None else {HOOK: {"url": url}}
    if secrets:
        settings[SIGNING] = {"secrets": [_kept(secret) for secret in secrets]}
    return settings


def valid(secrets: Sequence[SealedSecret], now: datetime) -> list[str]:
    """Those that sign now, sealed, newest first."""
    return [secret.sealed for secret in secrets if secret.until is None or secret.until > now]


def rotated(secrets: tuple[SealedSecret, ...], sealed: str, now: datetime) -> tuple[SealedSecret, ...]:
    """The secrets with a new one in front; those before it stay valid for a day, and those whose day is over go."""
    old = (SealedSecret(secret.sealed, min(secret.until or now + ROTATION, now + ROTATION)) for secret in secrets)
    return (SealedSecret(sealed), *(secret for secret in old if secret.until is not None and secret.until > now))


class JobSecrets:
    """The secrets that sign what is sent for a run: those that its job has now, whatever version the run enacts."""

    def __init__(self, jobs: Jobs, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    def __call__(self, run: Run) -> list[str]:
        """Sealed, newest first; none for a run whose job is gone."""
        try:
            job = self._jobs.get(run.tenant, run.job_id)
        except NotFound:
            return []
        return valid(secrets_of(job.settings), self._clock.now())


def _kept(secret: SealedSecret) -> dict[str, str]:
    ends = {} if secret.until is None else {"until": secret.until.isoformat().replace("+00:00", "Z")}
    return {"sealed": secret.sealed, **ends}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
