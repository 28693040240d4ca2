"""What an agent reports of its end: the callback of tasks that answered 202."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from quintet.domain import rules
from quintet.domain.dataset import Content
from quintet.domain.definition import StepDef
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.execution import Metrics, broken, finished
from quintet.domain.job import Job
from quintet.domain.json_rows import BadRows, rows_of
from quintet.domain.limits import slots
from quintet.domain.outcome import Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.queries import Files, QueryFault
from quintet.services.ports.runs import RunList, Runs
from quintet.services.ports.world import Blobs
from quintet.services.settling import Settling
from quintet.services.task_rows import EMPTY, LINES, TaskRows
from quintet.services.terms import DUE_GRACE
from quintet.services.tokens import RunToken

AGENT = "AUTONOMOUS_AGENT"
"""The type of tasks whose program may report."""
LIVE = frozenset({RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.PAUSED})
FORMATS = {"parquet": "parquet", "csv": "csv", "jsonl": LINES, "ndjson": LINES, "json": LINES}
MAX_PARTS = 100
MAX_ARRAY = 16 * 1024 * 1024
"""Bytes of a file that is one JSON array."""
SECONDS = 20.0
"""How long looking into what was written may take, in a request."""
LISTED = 100


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What is reported. Of its rows, if it left any: either `rows` themselves (JSON lines), or the `path` they were written to (an address
    below the attempt's own, a file or what it is a folder of) and their `format`."""

    completed: bool
    message: str | None = None
    rows: Sequence[bytes] | None = None
    path: str | None = None
    format: str | None = None
    metrics: Metrics = field(default_factory=Metrics)


class TaskReports:
    """Takes reports. Each raises NotFound, Conflict (no agent is at work on it, or no longer), Invalid (what was written is not what it
    says, and nothing has changed), QueryFault (Unavailable)."""

    def __init__(
        self,
        runs: Runs,
        jobs: Jobs,
        journal: Journal,
        settling: Settling,
        endings: Endings,
        files: Files,
        blobs: Blobs,
    ) -> None:
        self._runs = runs
        self._jobs = jobs
        self._journal = journal
        self._settling = settling
        self._endings = endings
        self._files = files
        self._blobs = blobs
        self._rows = TaskRows(files, blobs)

    # --- whose report it is ----------------------------------------------------------------------------------------------------

    def by_token(self, token: RunToken, project: int, job: int) -> Run:
        """The run that a token speaks for, of a task of that ETL job."""
        run = self._runs.get(token.run_id)
        etl = self._task_of(run)
        if (etl.get("project"), etl.get("job")) != (project, job):
            raise NotFound(f"no such run in job {job} of project {project}")
        return run

    def by_task(self, task: Job) -> Run:
        """The last run of a task."""
        (slot,) = slots(task, None)
        run = self._runs.last_holders([slot.name]).get(slot.name)
        if run is None:
            raise Conflict("the task has not run yet")
        return run

    def by_execution(self, job: Job, run_id: str) -> Run:
        """The run of that id, of a task of the ETL job; of the job's own execution the only agent at work in it."""
        run = self._runs.get(run_id)
        if run.tenant != job.project:
            raise NotFound(f"no execution {run_id}")
        if run.job_id == job.id:
            return self._only([found for found in self._at_work(job) if found.parent and found.parent.run_id == run_id])
        if self._task_of(run).get("parent") != job.id:
            raise NotFound(f"no execution {run_id} in this job")
        return run

    def only(self, job: Job) -> Run:
        """The run of the only agent at work in an ETL job."""
        return self._only(self._at_work(job))

    def _only(self, found: Sequence[Run]) -> Run:
        if not found:
            raise Conflict("no agent of this job is at work")
        if len(found) > 1:
            raise Conflict("several agents of this job are at work: say which by taskId or executionId")
        return found[0]

    def _at_work(self, job: Job) -> list[Run]:
        number = job.settings["etl"]["number"]
        live = RunList(job.project, label=f"etl-job:{number}", statuses=LIVE)
        found: list[Run] = []
        cursor: str | None = None
        while True:
            page = self._runs.browse(live, LISTED, cursor)
            found += page.runs
            cursor = page.cursor
            if cursor is None:
                break
        tasks = {task.id: task for task in self._jobs.get_many(job.project, {run.job_id for run in found})}
        return [run for run in found if run.job_id in tasks and _type(tasks[run.job_id]) == AGENT]

    def _task_of(self, run: Run) -> dict[str, object]:
        try:
            return dict(self._jobs.get(run.tenant, run.job_id).settings.get("etl") or {})
        except NotFound:
            return {}

    # --- what it says ----------------------------------------------------------------------------------------------------------

    def settle(self, run: Run, report: TaskReport, token: RunToken | None = None) -> Run:
        """Ends the run's task as reported; of racing ends one wins. A token of an attempt that is over raises Conflict."""
        opened = self._journal.open(run.id)
        step = _at_work(opened.state, token)
        outcome = self._settling.keep(self._outcome(run, step, report))
        attempt = step.token

        def decision(current: OpenRun, draft: Draft) -> None:
            if over := rules.fence(current.state, step.path, attempt):
                raise Conflict(f"the report comes too late: {over}")
            # Should this process die between the append and the wake, the sweep finds the run by this.
            self._runs.postpone(run.id, draft.now + DUE_GRACE)
            self._settling.settle(draft, step.path, outcome)

        opened, _ = self._journal.decide(run.id, decision)
        self._endings.wake(run.id)
        return opened.run

    def _outcome(self, run: Run, step: StepState, report: TaskReport) -> Outcome:
        metrics = report.metrics
        if metrics.records_processed is None:
            metrics = replace(metrics, records_processed=step.wait.get("posted"))
        if not report.completed:
            message = report.message or "the agent reported a failure and not why"
            return broken(StepError("Reported", message, retryable=False, reported=True), metrics)
        answer = None if report.message is None else {"message": report.message}
        return finished(_output(step.define), self._content(run, step, report), metrics, answer)

    def _content(self, run: Run, step: StepState, report: TaskReport) -> Content | None:
        place = self._rows.place(run.tenant, run.id, step.token)
        prefix = f"datasets/{run.tenant}/{_output(step.define)}/{run.id}-{step.token}/"
        if report.rows is not None:
            return self._of_lines(report.rows, place, prefix, "rows")
        if report.path is None:
            return None
        parts = self._parts(report.path, place)
        format_ = _format(report.format, parts[0])
        if format_ == "parquet":
            return self._copied(parts, prefix)
        if len(parts) == 1 and (lines := self._array(parts[0], format_)) is not None:
            return self._of_lines(lines, place, prefix, "outputDatasetPath")
        return self._made(tuple(parts), format_, prefix, "outputDatasetPath")

    def _of_lines(self, lines: Sequence[bytes], place: str, prefix: str, said: str) -> Content:
        if not lines:
            return EMPTY
        blob = f"{place}made.{LINES}"
        self._rows.keep(blob, lines)
        return self._made((blob,), LINES, prefix, said)

    def _made(self, parts: tuple[str, ...], format_: str, prefix: str, said: str) -> Content:
        try:
            return self._rows.parquet(parts, format_, prefix, SECONDS).content
        except QueryFault as fault:
            raise _unreadable(fault, said) from None

    def _copied(self, parts: Sequence[str], prefix: str) -> Content:
        """Copies, since the agent's link goes on writing to what it wrote to."""
        copies = [f"{prefix}part-{index:05}.parquet" for index in range(len(parts))]
        for part, copy in zip(parts, copies, strict=True):
            self._blobs.copy(part, copy)
        try:
            return self._files.describe("parquet", copies, SECONDS)
        except QueryFault as fault:
            raise _unreadable(fault, "outputDatasetPath") from None

    def _array(self, part: str, format_: str) -> list[bytes] | None:
        """The rows of a file that is one JSON array."""
        if format_ != LINES or not self._blobs.part(part, 0, 64).lstrip().startswith(b"["):
            return None
        if self._blobs.size(part) > MAX_ARRAY:
            raise _invalid("outputDatasetPath", f"a JSON array of more than {MAX_ARRAY} bytes: write JSON lines")
        try:
            return rows_of(self._blobs.get(part, MAX_ARRAY))
        except BadRows as bad:
            raise _invalid("outputDatasetPath", str(bad)) from None

    def _parts(self, path: str, place: str) -> list[str]:
        """The files that a path names: itself, else those below it."""
        root = self._blobs.address(place)
        if not path.startswith(root):
            raise _invalid("outputDatasetPath", f"must lie below {root}, as X-Quintet-Output-Path does")
        name = place + path.removeprefix(root)
        found = [found for found, _ in self._blobs.names(name, MAX_PARTS + 1) if found == name or _inside(found, name)]
        if name in found:
            return [name]
        if not found:
            raise _invalid("outputDatasetPath", "nothing was written there")
        if len(found) > MAX_PARTS:
            raise _invalid("outputDatasetPath", f"holds more than {MAX_PARTS} files")
        return found


def _inside(name: str, folder: str) -> bool:
    """True for a file of a folder; what begins with _ or . is a note of whoever wrote it."""
    rest = name.removeprefix(folder.rstrip("/") + "/")
    return rest != name and not rest.rpartition("/")[2].startswith(("_", "."))


def _at_work(state: RunState, token: RunToken | None) -> StepState:
    """The step whose agent may report. Raises Conflict."""
    if state.status.terminal:
        raise Conflict(f"the execution has ended: {state.status}")
    if token is not None and token.path is not None and (over := rules.fence(state, token.path, token.token or 0)):
        raise Conflict(f"the attempt that this token was sent with is over: {over}")
    under_way = (state.steps[path] for path in (*state.running, *state.waiting))
    step = next((step for step in under_way if step.define.kind == "task"), None)
    if step is None or step.wait.get("for") == "retry":
        raise Conflict("the task is not at work")
    if step.define.config["type"] != AGENT:
        raise Conflict(f"a {step.define.config['type']} task ends by itself: only agents report")
    return step


def _output(define: StepDef) -> int:
    return int(define.config["output"])


def _type(task: Job) -> object:
    return (task.settings.get("etl") or {}).get("taskType")


def _format(given: str | None, part: str) -> str:
    named = given or part.rpartition("/")[2].rpartition(".")[2]
    found = FORMATS.get(named.lower())
    if found is None:
        raise _invalid("outputDatasetFormat", f"must be one of {', '.join(FORMATS)}")
    return found


def _unreadable(fault: QueryFault, said: str) -> Exception:
    return fault if fault.type == "Unavailable" else _invalid(said, str(fault))


def _invalid(said: str, message: str) -> Invalid:
    return Invalid([Problem((said,), message)])
