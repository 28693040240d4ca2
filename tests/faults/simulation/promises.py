"""What the Jobs API promises of a whole history, checked when it is over."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulation.customers import Order
from simulation.queues import places
from simulation.witness import ROUNDING

from quintet.adapters.memory.world import START
from quintet.domain.dependency import JobDependency
from quintet.domain.events import EventType, from_millis
from quintet.domain.job import Job
from quintet.domain.run import Run, Slot, VersionPolicy
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Creation
from quintet.services.webhooks import delivery_id

if TYPE_CHECKING:
    from simulation.jobs_history import JobsHistory

HOLDS = {
    "completed": {RunStatus.COMPLETED},
    "failed": {RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CRASHED, RunStatus.SYSTEM_FAILED},
}
SILENCE = timedelta(seconds=60) - ROUNDING
PROBE = Run("", "probe", "probe", 1, "ver_probe", RunStatus.EXECUTING, START, START)
"""One that finds out whether a slot is free."""


class Promises:
    """The checks of one history."""

    def __init__(self, history: "JobsHistory") -> None:
        self.history = history
        self.services = history.honest
        self.runs = dict(sorted(history.world.witness.runs.items()))
        self.jobs = {job_id: history._job(job_id) for job_id in history.jobs}
        self.orders = history.customers.orders
        self._states: dict[str, RunState] = {}

    def check(self) -> None:
        """All of them."""
        self.check_orders()
        self.check_duplicates()
        self.check_merged()
        self.check_moves()
        self.check_replaced()
        for run in self.runs.values():
            if run.job_id in self.jobs:
                self.check_pauses(run)
                self.check_reports(run)
                self.check_calls(run)
        self.check_webhooks()
        self.check_dependants()
        self.check_nothing_is_held()

    def state(self, run_id: str) -> RunState:
        """The run's journal, folded."""
        if run_id not in self._states:
            self._states[run_id] = self.services.journal.open(run_id).state
        return self._states[run_id]

    def given(self, run_id: str) -> Any:
        """The run's input."""
        return self.services.payloads.get(self.state(run_id).input)

    def of_job(self, job_id: str) -> list[Run]:
        """The job's runs, oldest first."""
        return [run for run in self.runs.values() if run.job_id == job_id and run.item is None]

    # --- triggers --------------------------------------------------------------------------------------------------------------

    def check_orders(self) -> None:
        """What was answered is so: the run is there, with the payload, the key and the version that were asked for."""
        keys: defaultdict[tuple[str, str], set[str | None]] = defaultdict(set)
        for order in self.orders:
            if not order.accepted:
                continue
            run = self.runs[str(order.run_id)]
            key = order.ask.idempotency_key
            if key is not None:
                keys[order.job.id, key].add(run.id)
            if order.how not in {"debounced", "batched"} and not _merges(order.job):
                assert self.given(run.id) == order.ask.input, f"{run.id} has another input than {order}"
            if order.how == "created":
                self._check_created(order, run)
        twice = {key: found for key, found in keys.items() if len(found) > 1}
        assert not twice, f"one key, several runs: {twice}"

    def _check_created(self, order: Order, run: Run) -> None:
        ask, job = order.ask, order.job
        pinned = job.terms.policy is VersionPolicy.PIN
        assert run.version == job.version or not pinned, f"{run.id} enacts version {run.version}, not {job.version}"
        moved = any(move.run_id == run.id for move in self.history.customers.moves)
        if ask.at is not None and run.started_at is not None and not moved:
            assert run.started_at >= ask.at - ROUNDING, f"{run.id} started at {run.started_at}, asked for {ask.at}"
        if job.terms.start_delay and run.started_at is not None and not moved:
            first = max(ask.at or order.began, order.began) + timedelta(seconds=job.terms.start_delay)
            assert run.started_at >= first - ROUNDING, (
                f"{run.id} started at {run.started_at}, before its delay was over"
            )
        ttl = ask.ttl or job.terms.ttl
        if ttl is not None and order.ended is not None and run.started_at is not None:
            latest = order.ended + timedelta(seconds=ttl)
            assert run.started_at <= latest, f"{run.id} started at {run.started_at}, not by {latest}"

    def check_duplicates(self) -> None:
        """Within the window after a trigger, an equal payload is the same run."""
        began = {order.run_id: order.began for order in self.orders if order.how == "created"}
        for first, second in self.history.world.witness.same:
            window = timedelta(seconds=self.jobs[first.job_id].terms.dedup_window or 0)
            sure = first.id in began and not _merges(self.jobs[first.job_id])
            apart = not sure or second.created_at >= began[first.id] + window - ROUNDING
            assert apart, f"{first.id} and {second.id} are duplicates within {window}"

    def check_merged(self) -> None:
        """A batch holds every accepted payload once; a debounced run has a payload that no later one replaced."""
        for job in self.jobs.values():
            orders = [order for order in self.orders if order.job.id == job.id]
            if job.terms.batch_window is not None:
                self._check_batches(job, orders)
            elif job.terms.debounce_window is not None:
                self._check_debounced(job, orders)

    def _check_batches(self, job: Job, orders: Sequence[Order]) -> None:
        found: Counter[int] = Counter()
        for run in self.of_job(job.id):
            items = self._items(run)
            assert len(items) <= (job.terms.batch_size or 100), f"{run.id} has {len(items)} items"
            found.update(item["n"] for item in items if isinstance(item, dict) and "n" in item)
        for order in orders:
            number = order.ask.input["n"]
            if order.accepted:
                assert found[number] == 1, f"payload {number} is in {found[number]} places: {order}"
            elif not order.errors and number >= 0:  # nobody else sent this one
                assert not found[number], f"payload {number} was refused and is in a batch: {order}"

    def _items(self, run: Run) -> list[Any]:
        state = self.state(run.id)
        if run.started_at is None:
            return [self.services.payloads.get(item) for item in state.gathered]
        given = self.given(run.id)
        return list(given["items"]) if isinstance(given, dict) and "items" in given else []

    def _check_debounced(self, job: Job, orders: Sequence[Order]) -> None:
        by_run: defaultdict[str, list[Order]] = defaultdict(list)
        for order in orders:
            if order.accepted:
                by_run[str(order.run_id)].append(order)
        for run_id, merged in by_run.items():
            number = (self.given(run_id) or {}).get("n")
            if number is None:
                continue  # the last was a dependency's or a program's trigger
            sent = [order for order in orders if order.ask.input["n"] == number]
            assert sent, f"{run_id} runs with {self.given(run_id)}, which nobody sent"
            if any(order.errors for order in sent):
                continue  # nobody knows when it came
            last = max(order.ended for order in sent if order.ended is not None)
            # A repeat of what was merged before replaces nothing.
            later = [o for o in merged if o.began > last and o.how == "debounced" and o.ask.input["n"] != number]
            assert not later, f"{run_id} runs with payload {number}, replaced by {later}"

    def check_moves(self) -> None:
        """A run that was given another time does not start before the last one that it was given."""
        by_run: defaultdict[str, list[Any]] = defaultdict(list)
        for move in self.history.customers.moves:
            by_run[move.run_id].append(move)
        for run_id, moves in by_run.items():
            run = self.runs[run_id]
            last = max(moves, key=lambda move: move.began)
            sure = all(move.ended is not None and (move is last or move.ended < last.began) for move in moves)
            if sure and run.started_at is not None and not _merges(self.jobs[run.job_id]):
                assert run.started_at >= last.at - ROUNDING, f"{run_id} started at {run.started_at}, moved to {last.at}"

    def check_replaced(self) -> None:
        """Who made room did so for one run of the same queue, which is there; it never began, and nobody made room for two."""
        made_room: Counter[str] = Counter()
        for run in self.runs.values():
            new = self._replacer(run)
            if new is None:
                continue
            made_room[new.id] += 1
            assert run.started_at is None, f"{run.id} was replaced after its start"
            assert (run.parent, new.parent) == (None, None), f"{run.id}, or {new.id}, is waited for"
            alike = {place for place, _ in places(self.jobs[run.job_id], run)} & {
                place for place, _ in places(self.jobs[new.job_id], new)
            }
            assert alike, f"{run.id} made room for {new.id} of another queue"
        assert max(made_room.values(), default=0) <= 1, f"several runs made room for one: {made_room}"

    def replaced(self) -> int:
        """How many runs made room for others."""
        return sum(self._replacer(run) is not None for run in self.runs.values())

    def _replacer(self, run: Run) -> Run | None:
        for event in self.services.runs.tail(run.id, 0) if run.status is RunStatus.CANCELED else ():
            if event.type is EventType.RUN_CANCELED and str(event.data.get("reason")).startswith("replaced by run "):
                return self.runs[event.data["reason"].removeprefix("replaced by run ")]
        return None

    # --- one run ---------------------------------------------------------------------------------------------------------------

    def check_pauses(self, run: Run) -> None:
        """Nothing begins while a run is paused, nor before the time that its journal names last."""
        paused, until = False, None
        for event in self.services.runs.tail(run.id, 0):
            if event.type is EventType.RUN_DELAYED:
                until = from_millis(event.data["until"])
            elif event.type is EventType.RUN_STARTED:
                assert until is None or event.at >= until - ROUNDING, f"{run.id} started at {event.at}, before {until}"
            if event.type in {EventType.RUN_PAUSED, EventType.RUN_RESUMED, EventType.RUN_QUEUED}:
                paused = event.type is EventType.RUN_PAUSED
            assert not (paused and event.type is EventType.STEP_STARTED), f"{run.id} began {event} while it was paused"

    def check_calls(self, run: Run) -> None:
        """An endpoint is called for started runs only, with their input."""
        for payload in self.history.endpoints.called[run.id]:
            assert run.started_at is not None, f"{run.id} never started, and its endpoint was called"
            assert payload == self.given(run.id), f"{run.id}: the endpoint was sent {payload}"

    def check_reports(self, run: Run) -> None:
        """An accepted report settled its attempt, as the only one; and nobody crashed who gave signs of life."""
        said = [one for one in self.history.endpoints.said if one.run_id == run.id]
        state = self.state(run.id)
        ends = [one for one in said if one.verb in {"complete", "fail"}]
        twice = [text for text, count in Counter(one.text for one in ends).items() if count > 1]
        assert not twice, f"{run.id}: two ends of one attempt were accepted"
        completed = [one.value for one in ends if one.verb == "complete"]
        results = [self.services.payloads.get(step.result) for step in state.steps.values()]
        for value in completed:
            assert value in results, f"{run.id}: {value} was accepted, and is no step's result"
        waits: dict[str, datetime] = {}
        for event in self.services.runs.tail(run.id, 0):
            if event.type is EventType.STEP_WAITING and event.data.get("for") == "report":
                waits[str(event.path)] = from_millis(event.data["since"])
            if event.type is EventType.STEP_FAILED and event.data["error"].get("type") == "HeartbeatLost":
                signs = sorted((one.began, one.ended) for one in said)
                silent = _was_silent(waits[str(event.path)], signs, event.at)
                assert silent, f"{run.id} crashed at {event.at} by silence, and gave signs: {signs}"

    # --- what follows ----------------------------------------------------------------------------------------------------------

    def check_webhooks(self) -> None:
        """Each ended run of a job with a webhook was told, in one record, and nobody else was."""
        told = self.history.endpoints.told
        expected = {run.id for run in self.runs.values() if run.status.terminal and self._hooked(run)}
        for run_id in expected:
            page = self.services.webhooks.page("p", None, 10, None, run_id=run_id)
            assert len(page.deliveries) == 1, f"{run_id} has {len(page.deliveries)} deliveries"
            assert page.deliveries[0].state == "delivered", page.deliveries[0]
            bodies = told[delivery_id(run_id)]
            said = {(body["run_id"], body["status"]) for body in bodies}
            assert said == {(run_id, self.runs[run_id].status)}, f"of the end of {run_id} was heard: {bodies}"
        assert set(told) == {delivery_id(run_id) for run_id in expected}

    def _hooked(self, run: Run) -> bool:
        return run.job_id in self.jobs and run.item is None and "webhook_out" in self.jobs[run.job_id].settings

    def check_dependants(self) -> None:
        """Each rule was followed once for each end that it takes, and no run waits for what has come."""
        for job in self.jobs.values():
            edges = [edge for edge in self.history.edges if edge.job_id == job.id]
            if not edges or any(edge.id in self.history.removed for edge in edges):
                continue
            if len(edges) == 1:
                self._check_follower(job, edges[0])
            else:
                self._check_join(job, edges)
        for run in self.runs.values():
            if run.status is RunStatus.WAITING and run.started_at is None:
                assert run.id in self.history.excused(), f"{run.id} waits for dependencies that hold"

    def _follows(self, job: Job) -> Iterator[tuple[str, Any]]:
        """The upstream runs by which the job was triggered, with what it was told of each."""
        for run in self.of_job(job.id):
            for given in self._items(run) if job.terms.batch_window is not None else [self.given(run.id)]:
                if isinstance(given, dict) and "upstream" in given:
                    yield run.id, given

    def _check_follower(self, job: Job, edge: JobDependency) -> None:
        if job.terms.debounce_window is not None:
            return  # of many ends one stays
        told = Counter(given["upstream"]["run_id"] for _, given in self._follows(job))
        for run in self.of_job(edge.depends_on_job_id):
            takes = _holds(edge, run)
            may_refuse = job.terms.skip_if_running or job.terms.queue_limit is not None
            fits = told[run.id] <= 1 if takes and may_refuse else told[run.id] == takes
            assert fits, f"{run.id} ended {run.status} and was followed {told[run.id]} times by {job.id} ({edge})"

    def _check_join(self, job: Job, edges: Sequence[JobDependency]) -> None:
        used: Counter[str] = Counter()
        for run_id, given in self._follows(job):
            ends = {end["job_id"]: end["run_id"] for end in given["upstreams"]}
            assert set(ends) == {edge.depends_on_job_id for edge in edges}, f"{run_id} follows {ends}"
            for edge in edges:
                assert _holds(edge, self.runs[ends[edge.depends_on_job_id]]), f"{run_id} follows {ends}"
            used.update(ends.values())
        assert max(used.values(), default=0) <= 1, f"{job.id} followed an end twice: {used}"
        join = self.services.dependency_store.join(job.id)
        assert not join.firings, f"{job.id} has not followed {join.firings}"
        left = [join.ends.get(edge.depends_on_job_id) for edge in edges]
        met = [end is not None and _holds(edge, self.runs[end.run_id]) for edge, end in zip(edges, left, strict=True)]
        assert not all(met), f"{job.id} did not follow {left}"

    def check_nothing_is_held(self) -> None:
        """Every slot is free again, and nothing is left to do for a run that has ended."""
        now = self.history.world.clock.now()
        names = {slot.name for run in self.runs.values() for slot in run.slots}
        for name in sorted(names):
            run = replace(
                PROBE, id=self.history.world.ids.new(), created_at=now, started_at=now, slots=(Slot(name, 1),)
            )
            self.services.runs.create(Creation(run, [], now, now))
        waiting = self.services.runs.holders(sorted(self.history.world.witness.queues.slots))
        left = {name: held - self.history.excused() for name, held in waiting.items()}
        assert not any(left.values()), f"places of the queue are held for good: {left}"
        due = self.services.runs.due(now + timedelta(days=400), 10_000)
        ended = [lapse.run_id for lapse in due if lapse.status.terminal]
        assert not ended, f"what follows the end of {ended} was never done"


def _merges(job: Job) -> bool:
    return job.terms.debounce_window is not None or job.terms.batch_window is not None


def _holds(edge: JobDependency, run: Run) -> bool:
    return run.status.terminal and (edge.condition == "any" or run.status in HOLDS[edge.condition])


def _was_silent(since: datetime, signs: Sequence[tuple[datetime, datetime]], until: datetime) -> bool:
    """True when no accepted sign of life came for a minute, somewhere before the crash."""
    last = since
    for began, ended in signs:
        if ended - last >= SILENCE:
            return True
        last = max(last, began)
    return until - last >= SILENCE
