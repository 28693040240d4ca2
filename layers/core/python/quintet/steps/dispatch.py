"""One call to a job's endpoint, ready to be sent: the bytes that are signed, whom it speaks for, and what must never be told."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from quintet.services.ports.http import HttpAnswer, HttpRequest
from quintet.services.ports.steps import StepCall
from quintet.services.ports.webhooks import Signatures
from quintet.steps.exchange import MAX_ANSWER, UNTOLD, bare, header_text

OURS = frozenset(
    {
        "content-type",
        "x-run-id",
        "x-job-id",
        "x-attempt",
        "x-run-token",
        "idempotency-key",
        "traceparent",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)
"""The headers that every call has; an author's own don't replace them."""

HIDDEN = "***"
LEAST_HIDDEN = 8
"""Shorter secrets are not looked for in answers: they would be found in any text."""
EXCERPT = 2048
_TOLD = frozenset({"content-type", "x-run-id", "x-job-id", "x-attempt", "idempotency-key", "traceparent", "webhook-id"})


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A call: the step's attempt, its body, its author's headers, the run token it carries and the secrets it is signed with."""

    call: StepCall
    body: bytes
    given: Mapping[str, str]
    token: str
    secrets: Sequence[str]
    signatures: Signatures

    def request(self, url: str, timeout: float, now: datetime) -> HttpRequest:
        """The request, signed for now."""
        call = self.call
        headers = {
            **self.given,
            "Content-Type": "application/json",
            "X-Run-ID": call.run.id,
            "X-Job-ID": call.run.job_id,
            "X-Attempt": str(call.attempt),
            "X-Run-Token": self.token,
            "Idempotency-Key": call.idempotency_key,
            "traceparent": traceparent(call),
            "webhook-id": message_id(call),
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self.secrets:
            text = self.body.decode()
            signed = [self.signatures.sign(secret, message_id(call), now, text) for secret in self.secrets]
            headers["webhook-signature"] = " ".join(signed)
        return HttpRequest("POST", url, headers, self.body, timeout, MAX_ANSWER, call.stopped, follows=False)

    def masked(self, answer: HttpAnswer) -> HttpAnswer:
        """The answer without our token and secrets, should the endpoint have sent them back: results are read by more people."""
        found = [secret for secret in (self.token, *self.secrets) if len(secret) >= LEAST_HIDDEN]
        body, headers = answer.body, dict(answer.headers)
        for secret in found:
            body = body.replace(secret.encode(), HIDDEN.encode())
            headers = {name: value.replace(secret, HIDDEN) for name, value in headers.items()}
        return replace(answer, body=body, headers=headers)

    def told(self, request: HttpRequest) -> str:
        """The request for a run in debug mode: an author's headers by name only, since any may hold a secret."""
        shown = {n: v if n.lower() in _TOLD else HIDDEN for n, v in request.headers.items()}
        return f"POST {bare(request.url)} headers {json.dumps(shown)} body {_excerpt(self.body)}"


def author_headers(config: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a rendered config, without those that are ours. Raises ValueError for one that holds control characters."""
    given = config.get("headers") or {}
    return {n: header_text(v) for n, v in given.items() if v is not None and n.lower() not in OURS}


def answer_told(answer: HttpAnswer) -> str:
    """A masked answer for a run in debug mode."""
    shown = {n: HIDDEN if n in UNTOLD else v for n, v in answer.headers.items()}
    return f"answered {answer.status} headers {json.dumps(shown)} body {_excerpt(answer.body)}"


def _excerpt(body: bytes) -> str:
    shown = body[:EXCERPT].decode(errors="replace")
    return shown if len(body) <= EXCERPT else f"{shown}... ({len(body)} bytes)"


def traceparent(call: StepCall) -> str:
    """W3C Trace Context: one trace for all attempts of a run's steps, one span for each attempt."""
    run_id, path = call.run.place(call.step.path)
    try:
        trace = UUID(run_id).hex
    except ValueError:
        trace = _digest(run_id)[:32]
    return f"00-{trace}-{_digest(run_id, path, str(call.attempt), str(call.token))[:16]}-01"


def message_id(call: StepCall) -> str:
    """What receivers tell repeated deliveries of one attempt by. (No dots: they separate the parts of what is signed.)"""
    return "msg_" + _digest(call.run.id, call.step.path, str(call.attempt), str(call.token))[:32]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
