"""The works of HTTP and AUTONOMOUS_AGENT tasks: rows are posted, rows are answered, or reported later."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from quintet.domain.errors import Invalid, NotFound, TooLarge
from quintet.domain.execution import Metrics, broken, finished
from quintet.domain.json_rows import BadRows, rows_of
from quintet.domain.outcome import Failed, Outcome, StepError, Waits
from quintet.domain.program_text import Endpoint
from quintet.services.heartbeats import REPORT
from quintet.services.ports.http import HttpAnswer, HttpClient, HttpFault, HttpRequest
from quintet.services.ports.queries import QueryFault
from quintet.services.ports.steps import StepCall
from quintet.services.ports.world import Blobs, Clock
from quintet.services.programs import Programs
from quintet.services.task_rows import EMPTY, LINES, TaskRows
from quintet.services.tokens import RunTokens
from quintet.steps.dispatch import HIDDEN, LEAST_HIDDEN
from quintet.steps.exchange import bare, content, fault_error, phases_text, status_error
from quintet.steps.http import with_query
from quintet.steps.task_work import TaskWork, Unparked, query_failed

MAX_ROWS = 16 * 1024 * 1024
"""Bytes of rows as JSON, posted or answered."""
MAX_KEPT = 64 * 1024
"""Bytes of an answer that is no rows, kept in the result."""
BODILESS = frozenset({"GET", "HEAD", "DELETE"})
KEPT_SECONDS = 60.0
"""Of an attempt, what is kept to make a dataset of the rows."""
OUTPUT_HOURS = 24
SECRET = re.compile("auth|cookie|key|pass|secret|token", re.IGNORECASE)
"""The names of headers whose values are looked for in answers; others hold words that any answer may."""


class HttpWork(Unparked):
    """Calls the program's endpoint once, and makes a dataset of the JSON array that it answers. Redirects are not followed."""

    leaves: ClassVar[str | None] = None

    def __init__(self, http: HttpClient, programs: Programs, rows: TaskRows, blobs: Blobs, clock: Clock) -> None:
        self._http = http
        self._programs = programs
        self._rows = rows
        self._blobs = blobs
        self._clock = clock

    def perform(self, call: StepCall, work: TaskWork) -> Outcome:
        """One exchange."""
        ends = self._clock.now() + timedelta(seconds=call.timeout)
        try:
            endpoint = self._programs.endpoint(work.program)
            body, posted = self._body(call, work, endpoint)
            request = self._request(call, work, endpoint, body)
        except _Unsent as fault:
            return Failed(StepError(fault.type, str(fault), retryable=False))
        except (Invalid, NotFound, ValueError) as fault:
            return Failed(StepError("BadProgram", f"program {work.program.name}: {fault}", retryable=False))
        except QueryFault as fault:
            return query_failed(fault, "the input's rows")
        left = max((ends - self._clock.now()).total_seconds() - min(KEPT_SECONDS, call.timeout / 4), 1.0)
        where, metrics = f"{request.method} {bare(request.url)}", Metrics(records_processed=posted)
        try:
            answer = self._http.send(replace(request, timeout=left))
        except HttpFault as fault:
            call.log("error", f"{where}: {fault}")
            return broken(fault_error(where, fault), metrics)
        call.log("info", f"{where} -> {phases_text(answer)}")
        known = [value for name, value in endpoint.headers.items() if SECRET.search(name)]
        answer = _masked(answer, [*known, *self._secrets(request, work)])
        if not 200 <= answer.status < 300:
            return broken(status_error(where, answer, self._clock.now()), metrics)
        return self._answered(call, work, answer, metrics)

    # --- what is sent ----------------------------------------------------------------------------------------------------------

    def _body(self, call: StepCall, work: TaskWork, endpoint: Endpoint) -> tuple[bytes | None, int | None]:
        """The rows as one JSON array, byte for byte as they are, and how many; nothing for a method that has no body."""
        if endpoint.method in BODILESS:
            return None, None
        given = self._rows.lines(call.run.tenant, work.input, call.timeout / 2)
        if given is None:
            return b"[]", 0
        try:
            body = self._blobs.get(given.blob, MAX_ROWS)
        except TooLarge:
            raise _Unsent("InputTooLarge", f"the input has more than {MAX_ROWS} bytes as JSON") from None
        lines = [line for line in body.split(b"\n") if line and not line.isspace()]
        return b"[" + b",".join(lines) + b"]", len(lines)

    def _request(self, call: StepCall, work: TaskWork, endpoint: Endpoint, body: bytes | None) -> HttpRequest:
        headers = {**endpoint.headers, "Idempotency-Key": call.idempotency_key}
        if work.api_key is not None:
            headers = {name: value for name, value in headers.items() if name.lower() != "x-api-key"}
            headers["X-API-Key"] = work.api_key
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers |= self._more_headers(call, work)
        url = with_query(endpoint.url, work.params)
        return HttpRequest(
            endpoint.method, url, headers, body, call.timeout, MAX_ROWS, stopped=call.stopped, follows=False
        )

    def _more_headers(self, call: StepCall, work: TaskWork) -> dict[str, str]:
        return {}

    def _secrets(self, request: HttpRequest, work: TaskWork) -> list[str]:
        return [work.api_key or ""]

    # --- what comes back -------------------------------------------------------------------------------------------------------

    def _answered(self, call: StepCall, work: TaskWork, answer: HttpAnswer, metrics: Metrics) -> Outcome:
        try:
            lines = rows_of(answer.body)
        except BadRows as bad:
            if not _json(answer):
                return finished(work.output, None, metrics, kept_answer(answer))
            return broken(StepError("BadRows", f"the answer: {bad}", retryable=False), metrics)
        if lines is None:
            return finished(work.output, None, metrics, kept_answer(answer))
        if not lines:
            return finished(work.output, EMPTY, metrics)
        made = f"{self._rows.place(call.run.tenant, call.run.id, call.token)}made.{LINES}"
        self._rows.keep(made, lines)
        try:
            kept = self._rows.parquet((made,), LINES, work.prefix, KEPT_SECONDS)
        except QueryFault as fault:
            failed = query_failed(fault, "the rows that were answered")
            return broken(failed.error, metrics)
        return finished(work.output, kept.content, metrics)


class AgentWork(HttpWork):
    """Calls an agent: it is told how to report, and may answer 202 and do so when it is done."""

    def __init__(
        self, http: HttpClient, programs: Programs, rows: TaskRows, blobs: Blobs, clock: Clock, tokens: RunTokens
    ) -> None:
        super().__init__(http, programs, rows, blobs, clock)
        self._tokens = tokens

    def _more_headers(self, call: StepCall, work: TaskWork) -> dict[str, str]:
        output = f"{self._rows.place(call.run.tenant, call.run.id, call.token)}output"
        return {
            "X-Quintet-Execution": call.run.id,
            "X-Quintet-Task": str(work.task),
            "X-Run-Token": self._tokens.issue(call.run.id, call.step.path, call.token),
            "X-Quintet-Callback": f"/webrobot/api/projects/id/{work.project}/jobs/{work.job}/completion",
            "X-Quintet-Output-Url": self._blobs.upload_link(output, OUTPUT_HOURS * 3600),
            "X-Quintet-Output-Path": self._blobs.address(output),
        }

    def _secrets(self, request: HttpRequest, work: TaskWork) -> list[str]:
        return [work.api_key or "", *(request.headers[name] for name in ("X-Run-Token", "X-Quintet-Output-Url"))]

    def _answered(self, call: StepCall, work: TaskWork, answer: HttpAnswer, metrics: Metrics) -> Outcome:
        if answer.status == 202:
            details = {"message": "the agent to report its end", "posted": metrics.records_processed}
            return Waits(REPORT, details=details)
        return super()._answered(call, work, answer, metrics)


class _Unsent(Exception):
    """Why nothing was sent."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


def _json(answer: HttpAnswer) -> bool:
    type_ = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not type_ or type_ == "application/json" or type_.endswith("+json")


def kept_answer(answer: HttpAnswer) -> dict[str, Any]:
    """What is kept of an answer that is no rows."""
    body, binary = content(answer, untyped_json=True)
    if len(answer.body) > MAX_KEPT:
        return {"status": answer.status, "omitted": f"the answer has {len(answer.body)} bytes; {MAX_KEPT} are kept"}
    kept = {"status": answer.status, "body": body}
    return {**kept, "bodyEncoding": "base64"} if binary else kept


def _masked(answer: HttpAnswer, secrets: list[str]) -> HttpAnswer:
    """The answer without what is secret, should it have been sent back: results are read by more people."""
    body = answer.body
    for secret in secrets:
        if len(secret) >= LEAST_HIDDEN:
            for spelled in _spellings(secret):
                body = body.replace(spelled, HIDDEN.encode())
    return replace(answer, body=body)


def _spellings(secret: str) -> list[bytes]:
    """How an answer may spell a text: as it is, or as JSON escapes it; each also with its UTF-8 bytes read as Latin-1, as servers read
    headers. The longest first: an escaped one may hold the plain one."""
    read = (secret, secret.encode().decode("latin-1"))
    plain = {text.encode() for text in read}
    escaped = {json.dumps(text, ensure_ascii=ascii_).encode()[1:-1] for text in read for ascii_ in (True, False)}
    return sorted(plain | escaped, key=len, reverse=True)
