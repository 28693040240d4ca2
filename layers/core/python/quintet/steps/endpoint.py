"""endpoint: calls the HTTP endpoint that a job is, and waits for its report when it answers 202."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from quintet.domain.definition import StepDef
from quintet.domain.errors import Invalid, Problem
from quintet.domain.events import to_millis
from quintet.domain.jsontext import compact
from quintet.domain.outcome import Completed, Failed, Outcome, StepError, Trace, Waits
from quintet.domain.run import Run
from quintet.services.heartbeats import HEARTBEAT, REPORT
from quintet.services.hooks import secret_context
from quintet.services.ports.http import HttpAnswer, HttpClient, HttpFault
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.secrets import Vault
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.ports.webhooks import Signatures
from quintet.services.ports.world import Clock
from quintet.services.tokens import RunTokens
from quintet.steps.dispatch import OURS, Dispatch, answer_told, author_headers
from quintet.steps.exchange import bare, content, fault_error, phases_text, status_error, url_fault
from quintet.steps.fields import Field, Fields, anything, mapping_of, refuse, scalar
from quintet.steps.kind import FUNCTION_SECONDS, Kind
from quintet.steps.tools import JobSecrets

MAX_REQUEST = 64 * 1024 * 1024
DAY = 86_400.0
RESERVED = 60.0
"""Seconds of an attempt that are kept for the fallback, at most: of a shorter one it gets half."""
TRANSIENT = frozenset({502, 503, 504})
TRANSIENT_FAULTS = frozenset({"Connection", "Timeout", "Tls"})
OPENED_SECRETS = 256
SHOWN_PROBLEMS = 10


RETRIED = frozenset({429})
"""The only answers below 500 after which a call is repeated."""


class EndpointKind(Kind):
    """`url`, `fallback_url`, `payload` (else the run's input), `headers`, `result_schema`.

    The payload is POSTed as JSON, signed by the secrets that the run's job has at that moment; a 2xx answer is the result, 202 means that
    the endpoint reports by itself, by the run-side API. The fallback is called once in an attempt whose first call found nobody. A step
    may take a day; each exchange 14 minutes at most.
    """

    name = "endpoint"
    sees_scope = True
    sees_steps = False
    raw = frozenset({"result_schema"})
    default_timeout = 300.0
    attempt_seconds = FUNCTION_SECONDS
    max_timeout = DAY
    fields: ClassVar[Fields] = {
        "url": Field(url_fault, required=True),
        "fallback_url": Field(url_fault),
        "payload": Field(anything),
        "headers": Field(mapping_of(scalar, 100)),
        "result_schema": Field(anything),
    }

    def __init__(
        self,
        expressions: Expressions,
        http: HttpClient,
        vault: Vault,
        tokens: RunTokens,
        signing_secrets: JobSecrets,
        signatures: Signatures,
        schemas: Schemas,
        clock: Clock,
    ) -> None:
        super().__init__(expressions)
        self._http = http
        self._vault = vault
        self._tokens = tokens
        self._signing_secrets = signing_secrets
        self._signatures = signatures
        self._schemas = schemas
        self._clock = clock
        self._opened: dict[tuple[str, str], str] = {}

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Headers must not be ours, and a schema must be one."""
        config = step.config
        headers = config.get("headers")
        names = headers if isinstance(headers, Mapping) else ()
        found = [Problem(("headers", n), "is set by every call", "bad_value") for n in names if str(n).lower() in OURS]
        schema = config.get("result_schema")
        if schema is not None and (fault := self._schemas.fault(schema)):
            found.append(Problem(("result_schema",), fault, "bad_schema"))
        return found

    def perform(self, call: StepCall) -> Outcome:
        """One attempt: a call, and perhaps one to the fallback."""
        try:
            dispatch = self._dispatch(call)
        except (Invalid, TypeError, ValueError) as fault:
            return refuse("a signing secret can't be opened" if isinstance(fault, Invalid) else str(fault))
        except Exception as fault:  # noqa: BLE001  # a store or the vault: nothing has been sent, and the policy decides
            return Failed(StepError("NotSent", f"the call could not be prepared ({type(fault).__name__})"))
        return _Exchanges(dispatch, self._http, self._clock, self.judge).outcome()

    def judge(self, config: Mapping[str, Any], result: Any, trace: Trace | None = None) -> Outcome:
        """What a result comes to: a failure for good when it breaks the job's result_schema."""
        schema = config.get("result_schema")
        problems = [] if schema is None else self._schemas.problems(schema, result)
        if not problems:
            return Completed(result, trace)
        shown = [{"place": list(p.place), "message": p.message} for p in problems[:SHOWN_PROBLEMS]]
        first = problems[0]
        where = ".".join(map(str, first.place)) or "the result"
        message = f"the result breaks result_schema at {where}: {first.message}"
        return Failed(StepError("InvalidResult", message, retryable=False, details={"problems": shown}), trace)

    def _dispatch(self, call: StepCall) -> Dispatch:
        payload = call.config["payload"] if "payload" in call.config else call.scope()["input"]
        body = compact(payload).encode()
        if len(body) > MAX_REQUEST:
            raise ValueError(f"the payload has {len(body)} bytes; at most {MAX_REQUEST} are sent")
        given = author_headers(call.config)
        token = self._tokens.issue(call.run.id, call.step.path, call.token)
        return Dispatch(call, body, given, token, self._secrets(call.run), self._signatures)

    def _secrets(self, run: Run) -> Sequence[str]:
        if not run.follows:
            return ()  # only jobs whose runs are followed have secrets
        return [self._open(sealed, secret_context(run.job_id)) for sealed in self._signing_secrets(run)]

    def _open(self, sealed: str, context: str) -> str:
        found = self._opened.get((sealed, context))
        if found is None:
            found = self._vault.open(sealed, context)
            if len(self._opened) >= OPENED_SECRETS:
                self._opened.clear()
            self._opened[sealed, context] = found
        return found


class _Exchanges:
    """The calls of one attempt, with the time they take."""

    def __init__(
        self,
        dispatch: Dispatch,
        http: HttpClient,
        clock: Clock,
        judge: Callable[[Mapping[str, Any], Any, Trace | None], Outcome],
    ) -> None:
        self._dispatch = dispatch
        self._call = dispatch.call
        self._http = http
        self._clock = clock
        self._judge = judge
        self._began = dispatch.call.step.attempted_at or dispatch.call.now
        self._sent_at = clock.now()

    def outcome(self) -> Outcome:
        """What the attempt comes to."""
        config, whole = self._call.config, self._call.timeout
        fallback = config.get("fallback_url")
        reserved = min(RESERVED, whole / 2) if fallback else 0.0
        url = config["url"]
        got = self._send(url, whole - reserved)
        primary_down = _transient(got)
        if fallback and primary_down:
            self._call.log("warn", f"{bare(url)} is down ({_said(got)}); its fallback is called")
            url = fallback
            spent = (self._clock.now() - self._sent_at).total_seconds()
            got = self._send(url, max(whole - spent, reserved))
        return self._judged(f"POST {bare(url)}", got, may_return=bool(fallback) and primary_down)

    def _send(self, url: str, timeout: float) -> HttpAnswer | HttpFault:
        where = f"POST {bare(url)}"
        request = self._dispatch.request(url, timeout, self._clock.now())
        if self._debug:
            self._call.log("debug", self._dispatch.told(request))
        try:
            answer = self._dispatch.masked(self._http.send(request))
        except HttpFault as fault:
            self._call.log("error", f"{where}: {fault}")
            return fault
        self._call.log("info", f"{where} -> {phases_text(answer)}")
        if self._debug:
            self._call.log("debug", answer_told(answer))
        return answer

    @property
    def _debug(self) -> bool:
        return bool(self._call.run.asked.get("debug_mode"))

    def _judged(self, where: str, got: HttpAnswer | HttpFault, *, may_return: bool) -> Outcome:
        now, trace = self._clock.now(), self._trace(got)
        if isinstance(got, HttpFault):
            return Failed(_again(fault_error(where, got), may_return=may_return), trace)
        if got.status == 202:
            whole = self._call.step.define.timeout or EndpointKind.default_timeout
            details = {"heartbeat": int(HEARTBEAT.total_seconds()), "since": to_millis(now)}
            return Waits(REPORT, deadline=self._began + timedelta(seconds=whole), details=details, trace=trace)
        if 200 <= got.status < 300:
            body, binary = content(got, untyped_json=True)
            result = {"body": body, "bodyEncoding": "base64"} if binary else body
            return self._judge(self._call.config, result, trace)
        return Failed(_again(status_error(where, got, now, RETRIED), may_return=may_return), trace)

    def _trace(self, got: HttpAnswer | HttpFault) -> Trace:
        """Where the time went, as far as the attempt came; the exchange's own phases are those of the last call."""
        run, now = self._call.run, self._clock.now()
        started = run.started_at or self._began
        phases = {name: got.phases[name] for name in ("connect_ms", "ttfb_ms", "transfer_ms") if name in got.phases}
        return {
            "queue_wait_ms": _millis(run.scheduled_at or run.created_at, started),
            "dequeue_ms": _millis(self._call.step.due_at or started, self._began),
            "dispatch_ms": _millis(self._began, self._sent_at),
            **phases,
            "total_ms": _millis(self._began, now),
        }


def _millis(since: datetime, until: datetime) -> float:
    """Never negative: the clocks of two machines differ."""
    return max(0.0, round((until - since).total_seconds() * 1000, 3))


def _transient(got: HttpAnswer | HttpFault) -> bool:
    """True when nobody was found at the address, for now."""
    if isinstance(got, HttpFault):
        return got.retryable and got.type in TRANSIENT_FAULTS
    return got.status in TRANSIENT


def _said(got: HttpAnswer | HttpFault) -> str:
    return str(got) if isinstance(got, HttpFault) else f"status {got.status}"


def _again(error: StepError, *, may_return: bool) -> StepError:
    """A fallback that fails for good says nothing of the endpoint itself, which may be back at the next attempt."""
    if not may_return or error.retryable:
        return error
    return StepError(error.type, error.message, retryable=True, retry_after=error.retry_after, details=error.details)
