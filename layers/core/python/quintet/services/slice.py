"""One invocation's work on one run: fold, decide, append, execute, until only waiting is left or the burst is old."""

import logging
from datetime import datetime, timedelta

from quintet.domain import rules
from quintet.domain.errors import AppendConflict, TooLarge
from quintet.domain.events import EventType
from quintet.domain.outcome import Failed, Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.state import Claim
from quintet.domain.status import RunStatus
from quintet.services.attempts import Attempt
from quintet.services.engine import END, Engine, Next, Superseded
from quintet.services.journal import OpenRun
from quintet.services.ports.world import Pool
from quintet.services.resting import next_look, only_time, worth_telling
from quintet.services.terms import LEASE, RENEW_BEFORE

log = logging.getLogger(__name__)

SLICE_SECONDS = 200.0
"""Nothing new is started in a burst older than this; Express ends it at 300 s."""
BURST_SECONDS = 280.0
DRAFT_EVENTS = 64
DRAFT_TIME = timedelta(seconds=5)
BOOKED_AT_ONCE = 32
"""How much one draft decides and books: with results of up to 32 KiB it stays within one transaction (4 MB), and a loop of steps that
take no time still lets cancels, deadlines and leases be seen between drafts."""
DOZE_SECONDS = 1.0
"""A wait this short is slept through; a longer one is the burst machine's Wait or the park machine's."""
BACKOFF_SECONDS = 20.0
POLL_SECONDS = (0.2, 5.0)
"""How soon a busy burst looks for what others appended (a cancel, an answer), first and at most."""


class Slice:
    """One invocation's work on one run."""

    def __init__(
        self, engine: Engine, opened: OpenRun, claim: Claim, pool: Pool, began: datetime | None = None
    ) -> None:
        self.engine = engine
        self.opened = opened
        self.claim = claim
        self.pool = pool
        self.decided = engine.clock.now()
        self.began = began or self.decided
        overtaken = claim.epoch - opened.state.claim.epoch > 1
        # After fruitless bursts the lease is a long one, which a working burst must not keep: it is renewed at once.
        self.lease_until = self.decided if overtaken else self.decided + LEASE
        self.outcomes: list[tuple[str, int, Outcome]] = []
        self.inflight: dict[str, Attempt] = {}
        self.poll = POLL_SECONDS[0]
        self.full = False
        self.heard = 0
        self.over = False

    @property
    def age(self) -> float:
        """Seconds since this burst began."""
        return (self.engine.clock.now() - self.began).total_seconds()

    def run(self) -> Next:
        """Decides and executes until nothing is left to do here and now."""
        try:
            return self._run()
        finally:
            self.over = True

    def _over(self) -> bool:
        return self.over

    def _run(self) -> Next:
        while True:
            self._keep_lease()
            try:
                begun = self._decide()
            except AppendConflict:
                self._reopen()
                continue
            except TooLarge as fault:
                return self._give_up(fault)
            if self.opened.state.status.terminal:
                self.engine.endings.after(self.opened.run, self.opened.state)
                return END
            self._launch(begun)
            if self.full:
                self._collect(0.0)
            if self.outcomes or self.full:
                continue
            if self.inflight:
                self._await()
            elif (answer := self._leave()) is not None:
                return answer

    def _give_up(self, fault: TooLarge) -> Next:
        """Ends a run that decided something no store holds: it would decide the same for ever."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            if not opened.state.status.terminal:
                rules.cancel_frame(draft, opened.state.root)
                draft.add(EventType.RUN_SYSTEM_FAILED, error={"type": "TooLarge", "message": str(fault)})

        opened, _ = self.engine.journal.decide(self.opened.run.id, decision)
        self.engine.endings.after(opened.run, opened.state)
        return END

    # --- deciding ------------------------------------------------------------------------------------------------------------

    def _reopen(self) -> None:
        self.opened = self.engine.journal.open(self.opened.run.id)
        if self.opened.epoch != self.claim.epoch or self.opened.state.status.terminal:
            raise Superseded

    def _decide(self) -> list[Attempt]:
        state = self.opened.state
        self._check_claim()
        draft = Draft(state, self.engine.clock.now())
        self.decided = draft.now
        taken_over = state.claim != self.claim
        if taken_over:
            draft.add(EventType.BURST_CLAIMED, **_claim_data(self.claim))
            rules.crash_lost(draft, self.claim)
        if self.outcomes and any(number <= self.heard for number in state.abandoned.values()):
            # With what is booked it costs nothing, and spares the slices after this one to stop the same again.
            draft.add(EventType.RUN_CLEARED, until=self.heard)
        booked = self._book(draft)
        begun = self._unsent() if taken_over else []
        if state.status is not RunStatus.PAUSED:  # what was under way may end; nothing begins, and nothing ends by time
            self._go_on(draft, begun)
        if state.status is RunStatus.WAITING and state.running:
            draft.add(EventType.RUN_RESUMED)
        self.engine.journal.commit(self.opened, draft)
        del self.outcomes[:booked]
        self.full = self._enough(draft)
        if not state.status.terminal:
            self.engine.endings.fan_out(self.opened.run, state, draft.base)
            if self.engine.endings.cancel_abandoned(self.opened.run, state, self.heard):
                self.heard = state.number
        return [attempt for attempt in begun if attempt.path in state.running]

    def _go_on(self, draft: Draft, begun: list[Attempt]) -> None:
        state = draft.state
        rules.overdue(draft)
        while not state.status.terminal and not self._enough(draft) and self._progress(draft, begun):
            pass
        if not state.status.terminal:
            rules.conclude(draft)

    def _unsent(self) -> list[Attempt]:
        """The carried attempts that no carrier has taken: after a new claim they are handed on again; of two carriers the first takes."""
        steps = (self.opened.state.steps[path] for path in self.opened.state.running)
        return [Attempt(s.path, s.token, True, _nothing) for s in steps if s.carried and s.carrier is None]

    def _check_claim(self) -> None:
        if self.opened.state.status.terminal:
            raise Superseded  # whoever ended the run has seen to what follows
        held = self.opened.state.claim
        if held == self.claim:
            return
        if held.rank >= self.claim.rank:
            raise Superseded

    def _book(self, draft: Draft) -> int:
        """Books what ended, a bounded part of it at a time; how much."""
        booked = self.outcomes[:BOOKED_AT_ONCE]
        for path, token, outcome in booked:
            if reason := rules.fence(draft.state, path, token):
                draft.add(EventType.LATE_REFUSED, path, token=token, reason=reason)
            else:
                self.engine.settling.settle(draft, path, outcome)
        return len(booked)

    def _progress(self, draft: Draft, begun: list[Attempt]) -> bool:
        """One round of rules; True while it decided anything."""
        before = len(draft.events)
        state = draft.state
        rules.collapse(draft)
        if state.status.terminal:
            return False
        rules.skip_blocked(draft)
        if not self._room():
            return False
        self._take_turns(draft)
        if len(draft.events) > before:
            return True  # what the rules and turns settled may block or end what else is ready
        self._start_ready(draft, begun)
        return len(draft.events) > before

    def _take_turns(self, draft: Draft) -> None:
        for path in list(draft.state.turns):
            if self._enough(draft):
                return
            if path in draft.state.turns:  # not canceled by a turn before it
                self.engine.attempts.turn(draft, self.opened.run, path)

    def _start_ready(self, draft: Draft, begun: list[Attempt]) -> None:
        state = draft.state
        for path in [*state.ready, *rules.due_retries(state, draft.now)]:
            full = sum(not attempt.carried for attempt in begun) >= self.pool.free
            if full and self.engine.attempts.effectful(state.steps[path]):
                continue
            attempt = self.engine.attempts.start(draft, self.opened.run, path, BURST_SECONDS - self.age, self._over)
            if attempt:
                begun.append(attempt)
            if state.failing or state.status.terminal or self._enough(draft):
                return

    def _enough(self, draft: Draft) -> bool:
        return len(draft.events) >= DRAFT_EVENTS or self.engine.clock.now() - draft.now > DRAFT_TIME

    def _room(self) -> bool:
        return self.age < SLICE_SECONDS

    # --- executing -----------------------------------------------------------------------------------------------------------

    def _launch(self, begun: list[Attempt]) -> None:
        for attempt in begun:
            if not attempt.carried:
                key = f"{attempt.path}#{attempt.token}"
                self.inflight[key] = attempt
                self.pool.submit(key, attempt.enact)
        for attempt in begun:
            if attempt.carried:
                self._send(attempt)

    def _send(self, attempt: Attempt) -> None:
        try:
            self.engine.carriers.start(self.opened.run.id, attempt.path, attempt.token)
        except Exception as fault:  # its siblings are under way already; the attempt has failed, and its policy decides
            log.exception("no carrier for %s of run %s", attempt.path, self.opened.run.id)
            error = StepError("CarrierNotStarted", f"the attempt could not be handed on ({type(fault).__name__})")
            # A carrier may have begun all the same, had only the answer to the call been lost.
            self.outcomes.append((attempt.path, attempt.token, Failed(error, cut=True)))

    def _await(self) -> None:
        """Waits for the first attempt to end, or until it is time to look at the journal or the clock."""
        seconds = self.poll
        moment = rules.next_moment(self.opened.state)
        # A moment that was past when the rules last ran waits for a place in the pool, not for time.
        if moment is not None and moment > self.decided:
            seconds = min(seconds, max(0.0, (moment - self.engine.clock.now()).total_seconds()))
        self._collect(seconds)
        if self.outcomes:
            self.poll = POLL_SECONDS[0]
            return
        self.poll = min(self.poll * 2, POLL_SECONDS[1])
        if self.engine.journal.refresh(self.opened):
            self._check_claim()

    def _collect(self, seconds: float) -> None:
        """Takes up what ended, after up to `seconds` for the first."""
        for key, returned in self.pool.wait(seconds) if self.inflight else ():
            attempt = self.inflight.pop(key)
            self.outcomes.append((attempt.path, attempt.token, _as_outcome(returned)))

    def _keep_lease(self) -> None:
        now = self.engine.clock.now()
        if now >= self.lease_until - RENEW_BEFORE:
            self._renew(now + LEASE)

    def _renew(self, until: datetime) -> None:
        if not self.engine.runs.renew(self.opened.run.id, self.claim.epoch, until):
            raise Superseded
        self.lease_until = until

    # --- leaving -------------------------------------------------------------------------------------------------------------

    def _leave(self) -> Next | None:
        """Nothing is in flight here: dozes, hands the run on, or lets it rest. None: look again."""
        if self.opened.state.status is RunStatus.PAUSED:
            return self._rest()
        moment = rules.next_moment(self.opened.state)
        due = moment is not None and moment <= self.decided
        if (due or self.opened.state.ready or self.opened.state.turns) and not self._room():
            return self._hand_over()
        seconds = None if moment is None else (moment - self.engine.clock.now()).total_seconds()
        if seconds is not None and seconds <= DOZE_SECONDS:
            self.engine.clock.sleep(max(seconds, 0.0))
            return None
        if seconds is not None and seconds <= BACKOFF_SECONDS and self._room() and only_time(self.opened.state):
            self._renew(self.engine.clock.now() + timedelta(seconds=seconds) + LEASE)
            return Next("wait", int(seconds), self.claim.slice + 1)
        return self._rest()

    def _hand_over(self) -> Next:
        run_id = self.opened.run.id
        epoch = self.engine.runs.reclaim(run_id, self.claim.epoch, self.engine.clock.now() + LEASE)
        if epoch is not None:
            self.engine.bursts.start(run_id, epoch)
        return END

    def _rest(self) -> Next | None:
        state, run_id = self.opened.state, self.opened.run.id
        draft = Draft(state, self.engine.clock.now())
        if worth_telling(state, draft.now):
            draft.add(EventType.RUN_WAITING)
        try:
            self.engine.journal.commit(self.opened, draft)
        except AppendConflict:
            self._reopen()
            return None
        timed = None if state.status is RunStatus.PAUSED else rules.next_moment(state, carried=False)
        if timed is not None:
            self.engine.timers.start(run_id, timed)
        look = next_look(state, self.engine.clock.now(), self.engine.zombies.due_at(self.opened))
        if self.engine.runs.rest(run_id, self.claim.epoch, look):
            return END
        self._reopen()
        return None


def _nothing() -> Outcome:
    raise AssertionError("a carried attempt is enacted by its carrier")


def _claim_data(claim: Claim) -> dict[str, object]:
    return {"epoch": claim.epoch, "slice": claim.slice, "retry": claim.retry, "invocation": claim.invocation}


def _as_outcome(returned: object) -> Outcome:
    if isinstance(returned, Exception):
        log.error("an attempt met a fault of the engine", exc_info=returned)
        return Failed(
            StepError("EngineFault", f"the engine failed while doing the attempt ({type(returned).__name__})"),
            cut=True,  # what it began may be at work
        )
    return returned  # type: ignore[return-value]  # the pool returns what Attempt.enact returned
