"""What follows when a run ends: the next in the queue comes in, parents hear of it, children are canceled, followers are told."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from quintet.domain import rules
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.fold import CODE_OF, ITEMS_OF, PARKED_OF
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.admission import Admission
from quintet.services.gather import FAILURES, Gather, item_project, waiting_map
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Bursts, Clock, Fanouts
from quintet.services.scope import Scopes
from quintet.services.settling import Settling
from quintet.services.stops import Stops
from quintet.services.terms import LEASE

log = logging.getLogger(__name__)

Follower = Callable[[Run, RunState, object], None]
"""Hears, at least once, of a followed run's end with its result."""

MAP_CONCURRENCY = 16
ITEMS_AT_ONCE = 100
LIVE = (RunStatus.EXECUTING, RunStatus.WAITING)


class Endings:
    """Passes a run's end on: its slots to the next in the queue, its result to the step that waits for it."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        settling: Settling,
        payloads: Payloads,
        gather: Gather,
        admission: Admission,
        bursts: Bursts,
        fanouts: Fanouts,
        stops: Stops,
        clock: Clock,
        followers: Callable[[], Sequence[Follower]] = tuple,
    ) -> None:
        """`followers` hear of the end of runs that are followed; they are asked for then, since they start runs themselves."""
        self._runs = runs
        self._journal = journal
        self._settling = settling
        self._payloads = payloads
        self._gather = gather
        self._admission = admission
        self._bursts = bursts
        self._fanouts = fanouts
        self._stops = stops
        self._clock = clock
        self._followers = followers

    def after(self, run: Run, state: RunState) -> None:
        """Everything that follows a run's end; what a crash in here leaves undone, the sweep and the waiting runs' own checks repeat."""
        self.admit_next(*(slot.name for slot in run.slots))
        if run.item is not None:
            self._keep_item(run, state)
        elif run.parent is not None:
            self.tell_parent(run, state)
        done = self.cancel_abandoned(run, state)
        if run.follows:
            done = self._tell_followers(run, state) and done
        if done and (run.follows or state.abandoned):
            self._runs.forget_due(run.id)

    def _tell_followers(self, run: Run, state: RunState) -> bool:
        """False when some could not be told: the sweep comes back for them."""
        done = True
        result = self.result(run, state)
        for follower in self._followers():
            try:
                follower(run, state, result)
            except Exception:  # one follower's trouble must not keep the others from hearing
                log.exception("the end of run %s could not be told", run.id)
                done = False
        return done

    def result(self, run: Run, state: RunState) -> object:
        """What a completed run produced, as one value; None for any other."""
        if run.status is not RunStatus.COMPLETED:
            return None
        return as_one(state, Scopes(self._payloads).outputs(state))

    # --- admission -----------------------------------------------------------------------------------------------------------

    def admit_next(self, *slots: str) -> None:
        """Lets in the runs that stand first in these slots' queues while there is room."""
        for ended in self._admission.next(*slots):
            self.after(ended.run, ended.state)

    def admit(self, run_id: str) -> bool:
        """Starts an unstarted run if it may start now; False when it may not yet."""
        answer = self._admission.admit(run_id)
        if answer.ended is not None:
            self.after(answer.ended.run, answer.ended.state)
        return answer.done

    # --- parents and children ------------------------------------------------------------------------------------------------

    def tell_parent(self, run: Run, state: RunState) -> None:
        """Settles the step that waits for this run, and wakes its run."""
        parent = run.parent
        if parent is None or self._ended(parent.run_id):
            return
        outcome = self._outcome(run, state)

        def decision(opened: OpenRun, draft: Draft) -> None:
            step = opened.state.steps.get(parent.path)
            live = step is not None and rules.fence(opened.state, parent.path, parent.token) is None
            # A fast child ends before its parent is known to wait for it; the token alone tells whose attempt it is.
            if live and step and step.wait.get("child", run.id) == run.id:
                self._settling.settle(draft, parent.path, outcome)

        try:
            self._journal.decide(parent.run_id, decision)
        except NotFound:
            return
        self.wake(parent.run_id)

    def _ended(self, run_id: str) -> bool:
        try:
            return self._runs.get(run_id).status.terminal
        except NotFound:
            return True

    def knock(self, run_id: str) -> Run:
        """Has a run looked at, whatever it waits for, except what must come before its start: a timer's call. The run as it was."""
        run = self._runs.get(run_id)
        if run.status in {RunStatus.QUEUED, RunStatus.DELAYED}:
            self.admit(run_id)
        elif run.started_at is not None and not run.status.terminal:
            self.wake(run_id)
        return run

    def wake(self, run_id: str) -> None:
        """Starts a burst for a resting run."""
        epoch = self._runs.wake(run_id, self._clock.now() + LEASE)
        if epoch is not None:
            self._bursts.start(run_id, epoch)

    def hear_children(self, opened: OpenRun) -> None:
        """Settles the steps whose child run or items have ended, whether or not anybody told (a crash between the two)."""
        self.hear_maps(opened)
        for path in list(opened.state.waiting):
            child_id = opened.state.steps[path].wait.get("child")
            if child_id is None:
                continue
            child = self._runs.get(child_id)
            if child.status.terminal:
                self.tell_parent(child, self._journal.open(child_id).state)
                self._journal.refresh(opened)

    # --- items of a fanned-out map ---------------------------------------------------------------------------------------------

    def fan_out(self, run: Run, state: RunState, since: int) -> None:
        """Starts the maps that were fanned out by the events after number `since`."""
        for path in state.waiting:
            step = state.steps[path]
            if step.token > since and step.wait.get("for") == "items":
                self._start_items(run, step)

    def _start_items(self, run: Run, step: StepState) -> None:
        concurrency = int(step.wait.get("config", {}).get("max_concurrency") or MAP_CONCURRENCY)
        self._fanouts.start(run.id, step.path, step.token, self._payloads.name(step.items), concurrency)

    def _keep_item(self, run: Run, state: RunState) -> None:
        parent = run.parent
        if parent is None or run.item is None:
            return
        outcome = self._outcome(run, state)
        kept = {"result": outcome.result} if isinstance(outcome, Completed) else {"error": dict(run.error or {})}
        self._runs.keep_item(parent.run_id, parent.token, run.item, kept)
        if self._worth_telling(run, state):
            self.wake(parent.run_id)

    def _worth_telling(self, run: Run, state: RunState) -> bool:
        """True when this item's end ends the map: by too many failures, or as the last after the machine itself has ended."""
        failed = self._runs.count(run.project, FAILURES) if run.status is not RunStatus.COMPLETED else 0
        if failed > state.given.get("tolerate", 0):
            return True
        late = state.claim.epoch > 1
        return late and self._runs.count(run.project, sorted(TERMINAL)) >= state.given.get("total", 0)

    def hear_maps(self, opened: OpenRun) -> None:
        """Settles the fanned-out maps whose items have ended: the machine's last call wakes the run for this."""
        for path in list(opened.state.waiting):
            if opened.state.steps[path].wait.get("for") == "items":
                self._hear_items(opened, path)

    def _hear_items(self, opened: OpenRun, path: str) -> None:
        step = opened.state.steps[path]
        for ended in self._gather.missing(opened.run, step):
            item = self._journal.open(ended)
            self._keep_item(item.run, item.state)
        outcome = self._gather.outcome(opened.run, step)
        if outcome is None:
            outcome = self._begin_rest(opened.run, step)
        if outcome is None:
            return
        token = step.token

        def decision(current: OpenRun, draft: Draft) -> None:
            if waiting_map(current.state, path, token):
                self._settling.settle(draft, path, self._settling.keep(outcome))

        self._journal.decide(opened.run.id, decision)
        self._journal.refresh(opened)

    def _begin_rest(self, run: Run, step: StepState) -> Failed | None:
        """Begins the items that never began; the failure when that was tried often enough."""
        if self._gather.all_begun(run, step):
            return None
        try:
            self._start_items(run, step)
        except Conflict as exhausted:
            return Failed(StepError("FanoutFailed", str(exhausted), retryable=False))
        return None

    def end_orphan(self, run: Run) -> bool:
        """Cancels an item whose map's run has ended; True when it was one."""
        if run.item is None or run.parent is None or not self._runs.get(run.parent.run_id).status.terminal:
            return False
        with suppress(Conflict):  # it has just ended by itself
            self.cancel(run.id, "engine", "the map's run has ended")
        return True

    def _outcome(self, run: Run, state: RunState) -> Outcome:
        if run.status is RunStatus.COMPLETED:
            return Completed(self._payloads.put(self.result(run, state)))
        error = run.error or {}
        message = error.get("message") or f"the run is {run.status}"
        return Failed(StepError("ChildRun", f"run {run.id} {run.status}: {message}", details={"runId": run.id}))

    def cancel_abandoned(self, run: Run, state: RunState, since: int = 0) -> bool:
        """Cancels the child runs and items, and stops the work, whose step was ended by an event after number `since`; False when some
        could not be."""
        done = True
        for name in [name for name, number in state.abandoned.items() if number > since]:
            try:
                self._cancel_one(name, run)
            except Exception:  # one child's trouble must not save the others; the sweep comes back for it
                log.exception("child %s of run %s could not be canceled", name, run.id)
                done = False
        return done

    def _cancel_one(self, name: str, run: Run) -> None:
        if name.startswith(ITEMS_OF):
            self._cancel_items(run, int(name.removeprefix(ITEMS_OF)))
        elif name.startswith(CODE_OF):
            self._stops.code(run.id, int(name.removeprefix(CODE_OF)))
        elif name.startswith(PARKED_OF):
            self._stops.parked(run.id, int(name.removeprefix(PARKED_OF)))
        else:
            self._cancel_child(name, run)

    def _cancel_items(self, run: Run, token: int) -> None:
        """Begins no further items and cancels those under way; one that begins at this moment asks for its run and ends by itself."""
        self._fanouts.stop(run.id, token)
        seen: set[str] = set()
        # The list lags behind what it lists: those already seen stand in it for a while.
        while fresh := [item for item in self._live(run, token, len(seen)) if item.id not in seen]:
            for item in fresh:
                seen.add(item.id)
                self._cancel_child(item.id, run)

    def _live(self, run: Run, token: int, more: int) -> list[Run]:
        return self._runs.page(item_project(run, token), LIVE, ITEMS_AT_ONCE + more, 0)

    def _cancel_child(self, child: str, run: Run) -> None:
        with suppress(Conflict, NotFound):  # most have ended by themselves
            self.cancel(child, "engine", f"run {run.id} no longer waits for it")

    # --- cancel --------------------------------------------------------------------------------------------------------------

    def cancel(self, run_id: str, by: str, reason: str | None) -> Run:
        """Cancels a run, its children, and passes the end on. Raises Conflict when it has ended."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            if opened.state.status.terminal:
                raise Conflict("run has already ended")
            rules.cancel_run(draft, by, reason)

        opened, _ = self._journal.decide(run_id, decision)
        self.after(opened.run, opened.state)
        return opened.run


def as_one(state: RunState, outputs: dict[str, object]) -> object:
    """A run's result as one value: that of its only last step, else of each by key."""
    (last, *more) = rules.sinks(state)
    return {**outputs} if more else outputs.get(last)
