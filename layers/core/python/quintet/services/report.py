"""What a program that works on a run says of it: the run side of the API."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Protocol

from quintet.domain import rules
from quintet.domain.errors import Conflict, Invalid, Problem, TooLarge, Unauthenticated
from quintet.domain.events import EventType, to_millis
from quintet.domain.jsontext import compact
from quintet.domain.outcome import Failed, Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.run import Run, Trigger
from quintet.domain.state import RunState, StepState
from quintet.domain.status import StepStatus
from quintet.services.asks import Ask, Submitted
from quintet.services.children import MAX_DEPTH, TooDeep
from quintet.services.endings import Endings
from quintet.services.heartbeats import REPORT
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Clock, Ids, LogEntry, Logs
from quintet.services.settling import Settling
from quintet.services.submit import Submit
from quintet.services.terms import DUE_GRACE
from quintet.services.tokens import RunToken

ENDPOINT = "endpoint"
"""The kind whose endpoints may report all; agents of tasks report all but their completion."""
LEVELS = ("debug", "info", "warn", "error")
CHECKPOINT, OUTPUT = "checkpoint", "output"
"""The kinds of records."""
MAX_NAME = 256
NOTE_NAME, NOTE_TEXT, NOTES, NOTES_BYTES = 64, 1024, 64, 8192
"""Bounds of a run's metadata: characters of a name and of a text, entries, and JSON bytes in all. Lists carry it."""
REPORTED = "Reported"
"""What a reported failure without a class is called."""


class Judge(Protocol):
    """What a step's result comes to under the step's config."""

    def __call__(self, config: Mapping[str, Any], result: Any) -> Outcome:
        """Completed, or Failed when the config forbids such a result."""
        ...


class Report:
    """The use cases of the run side. Each is a sign of life, and each raises

    Unauthenticated (a token of another run), NotFound, or Conflict: the run has ended, or the attempt that the token was sent with has.
    """

    def __init__(
        self,
        runs: Runs,
        jobs: Jobs,
        journal: Journal,
        settling: Settling,
        endings: Endings,
        payloads: Payloads,
        records: Records,
        logs: Logs,
        submit: Submit,
        judge: Judge,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._runs = runs
        self._jobs = jobs
        self._journal = journal
        self._settling = settling
        self._endings = endings
        self._payloads = payloads
        self._records = records
        self._logs = logs
        self._submit = submit
        self._judge = judge
        self._clock = clock
        self._ids = ids

    # --- signs of life and notes ---------------------------------------------------------------------------------------------

    def heartbeat(self, token: RunToken, run_id: str) -> None:
        """Says that the work goes on."""
        self._heard(token, run_id)

    def payload(self, token: RunToken, run_id: str) -> Any:
        """The run's input."""
        return self._payloads.get(self._heard(token, run_id).state.input)

    def log(self, token: RunToken, run_id: str, message: str, level: str = "info", data: Any = None) -> None:
        """Writes a line to the run's log, with `data` (JSON) beside the message. Raises Invalid (level)."""
        if level not in LEVELS:
            raise _invalid("level", f"must be one of {', '.join(LEVELS)}")
        opened = self._heard(token, run_id)
        step = self._step_of(opened.state, token)
        run_id, path = opened.run.place(step.path if step else "")
        line = LogEntry(self._ids.new(), self._clock.now(), path.rstrip(".") or None, level, message, data)
        self._logs.write(run_id, [line])

    def progress(
        self,
        token: RunToken,
        run_id: str,
        percent: float,
        message: str | None = None,
        step: str | None = None,
        eta_secs: float | None = None,
    ) -> None:
        """How far the live step is: percent 0 to 100, in words, the part it is at, seconds left. Raises Invalid."""
        if not 0 <= percent <= 100:
            raise _invalid("percent", "must be from 0 to 100")
        self._heard(token, run_id)
        told = {"percent": percent, "message": message, "step": step, "eta": eta_secs}
        said = {"done": percent, "total": 100, **{name: value for name, value in told.items() if value is not None}}

        def decision(opened: OpenRun, draft: Draft) -> None:
            live = self._live(opened.state, token)
            if live.progress != said:
                draft.add(EventType.STEP_PROGRESS, live.path, **said)

        self._journal.decide(run_id, decision)

    def annotate(self, token: RunToken, run_id: str, notes: Mapping[str, Any]) -> None:
        """Merges names with texts into the run's metadata (numbers and booleans as JSON text); null takes a name out.

        Raises Invalid, TooLarge.
        """
        _check_notes(notes)
        texts = {
            name: value if value is None or isinstance(value, str) else compact(value) for name, value in notes.items()
        }
        self._heard(token, run_id)

        def decision(opened: OpenRun, draft: Draft) -> None:
            self._under_way(opened.state, token)
            before = opened.run.asked.get("metadata", {})
            new = {name: value for name, value in texts.items() if name not in before or before[name] != value}
            merged = {name: value for name, value in {**before, **new}.items() if value is not None}
            if len(merged) > NOTES or len(compact(merged).encode()) > NOTES_BYTES:
                raise TooLarge(f"a run's metadata may have {NOTES} entries and {NOTES_BYTES} bytes as JSON")
            if merged != before:
                draft.add(EventType.RUN_NOTED, metadata=new)

        self._journal.decide(run_id, decision)

    # --- what the run leaves behind ------------------------------------------------------------------------------------------

    def checkpoint(self, token: RunToken, run_id: str, source: str, state: Any) -> str:
        """Keeps a state (JSON) that the work could go on from; its id. All are kept, in order. Raises Invalid."""
        _check_name("source", source)
        self._heard(token, run_id)
        made, at = self._ids.new(), to_millis(self._clock.now())
        body = {"source": source, "state": self._payloads.put(state), "at": at}
        self._records.put(run_id, CHECKPOINT, made, body)
        return made

    def output(self, token: RunToken, run_id: str, output_key: str, value: Any) -> None:
        """Keeps a named output (JSON); the last under a name stays. Raises Invalid."""
        _check_name("output_key", output_key)
        self._heard(token, run_id)
        at = to_millis(self._clock.now())
        body = {"output_key": output_key, "value": self._payloads.put(value), "at": at}
        self._records.put(run_id, OUTPUT, output_key, body)

    def spawn(self, token: RunToken, run_id: str, job_id: str, payload: Any = None, priority: int = 0) -> Submitted:
        """Triggers a job of the run's project on the run's behalf. Raises NotFound (job), TooDeep, and what Submit raises."""
        run = self._heard(token, run_id).run
        if run.depth >= MAX_DEPTH:
            raise TooDeep(f"runs start runs more than {MAX_DEPTH} deep")
        job = self._jobs.get(run.tenant, job_id)
        by = Trigger("spawn", "run", run.place("")[0])
        return self._submit(job, Ask(input=payload, priority=priority, trigger=by, depth=run.depth + 1))

    # --- the end of the work -------------------------------------------------------------------------------------------------

    def complete(self, token: RunToken, run_id: str, result: Any = None) -> Run:
        """Completes the live step with a result (JSON); of racing ends one wins, the others raise Conflict.

        A result that breaks the job's result_schema fails the step, as it would in an answer. Tasks are completed elsewhere: with rows
        (see TaskReports).
        """

        def outcome(step: StepState) -> Outcome:
            if step.define.kind != ENDPOINT:
                raise Conflict("a task is completed by its callback, X-Quintet-Callback")
            return self._judge(step.define.config, result)

        return self._end(token, run_id, outcome)

    def fail(self, token: RunToken, run_id: str, error: Mapping[str, Any] | str, *, retryable: bool = True) -> Run:
        """Fails the live attempt; the step's retry policy decides what follows, unless it is not `retryable`.

        `error`: a message, or {message, class, ...}; what else it holds is kept as details. Raises Invalid, Conflict.
        """
        failed = Failed(_reported(error, retryable=retryable))
        return self._end(token, run_id, lambda _step: failed)

    def _end(self, token: RunToken, run_id: str, outcome: Callable[[StepState], Outcome]) -> Run:
        self._heard(token, run_id)

        def decision(opened: OpenRun, draft: Draft) -> None:
            step = self._live(opened.state, token)
            if step.deadline and draft.now >= step.deadline:
                raise Conflict("the attempt's time is over")
            # Should this process die between the append and the wake, the sweep finds the run by this.
            self._runs.postpone(run_id, draft.now + DUE_GRACE)
            self._settling.settle(draft, step.path, self._settling.keep(outcome(step)))

        opened, _ = self._journal.decide(run_id, decision)
        self._endings.wake(run_id)
        return opened.run

    # --- whom a token speaks for ---------------------------------------------------------------------------------------------

    def _heard(self, token: RunToken, run_id: str) -> OpenRun:
        """The run, if the token may speak for it now; and the sign of life that every call is."""
        if token.run_id != run_id:
            raise Unauthenticated("This token is another run's")
        opened = self._journal.open(run_id)
        self._under_way(opened.state, token)
        self._runs.beat(run_id, self._clock.now())
        return opened

    @staticmethod
    def _under_way(state: RunState, token: RunToken) -> None:
        if state.status.terminal:
            raise Conflict("run has ended")
        if token.path is not None and (over := rules.fence(state, token.path, token.token or 0)):
            raise Conflict(f"the attempt that this token was sent with is over: {over}")

    def _live(self, state: RunState, token: RunToken) -> StepState:
        """The step that a token reports on: its own, or for a run's token the only one at work. Raises Conflict."""
        self._under_way(state, token)
        if token.path is not None:
            return state.steps[token.path]
        found = _at_work(state)
        if len(found) == 1:
            return found[0]
        if not found:
            raise Conflict("no endpoint is at work on this run now")
        raise Conflict("several endpoints are at work on this run; use the token that came with the call")

    @staticmethod
    def _step_of(state: RunState, token: RunToken) -> StepState | None:
        if token.path is not None:
            return state.steps[token.path]
        found = _at_work(state)
        return found[0] if len(found) == 1 else None


def _at_work(state: RunState) -> list[StepState]:
    """The steps whose endpoint was called and has not come to an end."""
    called = (state.steps[path] for path in (*state.running, *state.waiting))
    ours = (step for step in called if step.define.kind == ENDPOINT)
    return [step for step in ours if step.status is StepStatus.RUNNING or step.wait.get("for") == REPORT]


def _reported(error: Mapping[str, Any] | str, *, retryable: bool) -> StepError:
    told = {"message": error} if isinstance(error, str) else dict(error)
    message, type_ = told.pop("message", None), told.pop("class", None) or REPORTED
    for name, value in (("message", message), ("class", type_)):
        if not isinstance(value, str) or not value.strip():
            raise Invalid([Problem(("error", name), "must be a text that is not empty", "string_type")])
    return StepError(str(type_), str(message), retryable=retryable, details=told, reported=True)


def _check_name(field: str, value: str) -> None:
    if not value.strip() or len(value) > MAX_NAME:
        raise _invalid(field, f"must have 1 to {MAX_NAME} characters")


def _check_notes(notes: Mapping[str, Any]) -> None:
    found = []
    for name, value in notes.items():
        if not name.strip() or len(name) > NOTE_NAME:
            found.append(Problem((name,), f"a name must have 1 to {NOTE_NAME} characters"))
        elif isinstance(value, str) and len(value) > NOTE_TEXT:
            found.append(Problem((name,), f"must have at most {NOTE_TEXT} characters"))
        elif not (value is None or isinstance(value, (str, int)) or (isinstance(value, float) and isfinite(value))):
            found.append(Problem((name,), "must be a text, number, boolean or null"))
    if found:
        raise Invalid(found)


def _invalid(field: str, message: str) -> Invalid:
    return Invalid([Problem((field,), message)])
