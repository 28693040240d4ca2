"""Takes a trigger through a job's terms: schema, idempotency, rates, deduplication, debounce, batch, window, dependencies, slots."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quintet.domain import limits
from quintet.domain.errors import Conflict, Disabled, NoQueue, QuintetError, Unprocessable
from quintet.domain.job import Job, with_default_input
from quintet.domain.limits import Allowance, RateLimited
from quintet.domain.run import Run
from quintet.services.admission import Upstreams
from quintet.services.asks import Ask, Rehearsal, Submitted, guards_of, labels_of, rates_of
from quintet.services.merging import Merging
from quintet.services.ports.runs import AlreadyThere, Claims, Rate, RateExceeded, Runs, SlotTaken
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.world import Clock
from quintet.services.queueing import NO_QUEUE, refusal
from quintet.services.trigger import Start, TriggerRun


class Submit:
    """The one way in for every trigger: by people, schedules, dependencies and programs."""

    def __init__(
        self,
        runs: Runs,
        trigger: TriggerRun,
        merging: Merging,
        schemas: Schemas,
        upstreams: Upstreams,
        schedules: Schedules,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._trigger = trigger
        self._merging = merging
        self._schemas = schemas
        self._upstreams = upstreams
        self._schedules = schedules
        self._clock = clock

    def __call__(self, job: Job, ask: Ask) -> Submitted:
        """The run, new or known. Raises Disabled, Unprocessable, Conflict (key used with another payload; a run is active and the job skips
        then), QueueFull, NoQueue, RateLimited."""
        given, hash_ = self._check(job, ask)
        start = self._start(job, ask, given, hash_)
        try:
            if merged := self._merge(job, ask, start):
                run, how, fire_at = merged
                return Submitted(run, how, hash_, fire_at, self._allowance(start.claims.rates))
            start = self._held_back(job, ask, start, self._unmet(job, ask))
            run = self._trigger.start(job, ask.input, start)
        except (AlreadyThere, RateExceeded, SlotTaken) as refused:
            return self._refused(refused, start, hash_)
        return self._made(job, run, start, hash_)

    def many(self, job: Job, asks: Sequence[Ask]) -> list[Submitted | QuintetError]:
        """The same for many triggers of one job, created in batches; each one's answer in its place."""
        if job.terms.merges or job.terms.skip_if_running or limits.replaces(job):
            return [self._caught(lambda ask=ask: self(job, ask)) for ask in asks]  # type: ignore[misc]  # binds each
        answers: list[Submitted | QuintetError | None] = [None] * len(asks)
        prepared: list[tuple[int, Any, Start, str]] = []
        unmet = self._unmet(job, asks[0]) if asks else ()
        for place, ask in enumerate(asks):
            try:
                given, hash_ = self._check(job, ask)
                start = self._held_back(job, ask, self._start(job, ask, given, hash_), unmet)
            except QuintetError as fault:
                answers[place] = fault
            else:
                prepared.append((place, ask.input, start, hash_))
        made = self._trigger.start_many(job, [(given, start) for _, given, start, _ in prepared])
        for (place, _, start, hash_), outcome in zip(prepared, made, strict=True):
            answers[place] = self._caught(lambda o=outcome, s=start, h=hash_: self._answer(job, o, s, h))  # type: ignore[misc]  # the same
        return [answer for answer in answers if answer is not None]

    def rehearse(self, job: Job, ask: Ask) -> Rehearsal:
        """What a trigger would come to now. Raises Disabled, Unprocessable."""
        given, hash_ = self._check(job, ask)
        unmet = self._unmet(job, ask)
        start = self._start(job, ask, given, hash_)
        return Rehearsal(hash_, start.at, start.expires_at, tuple(self._warnings(job, ask, start, len(unmet))))

    # --- the steps, in the order in which they are checked -------------------------------------------------------------------

    def _check(self, job: Job, ask: Ask) -> tuple[Any, str]:
        """The run's whole input and its hash."""
        if job.status != "active":
            raise Disabled(f"job {job.name!r} is disabled")
        given = with_default_input(job.settings.get("input"), ask.input)
        if job.terms.payload_schema is not None and (faults := self._schemas.problems(job.terms.payload_schema, given)):
            raise Unprocessable([type(fault)(("payload", *fault.place), fault.message, fault.type) for fault in faults])
        return given, limits.payload_hash(given)

    def _unmet(self, job: Job, ask: Ask) -> Sequence[object]:
        waits = job.terms.follows and ask.parent is None and ask.trigger.type != "job_completion"
        return self._upstreams.unmet(job) if waits else ()

    def _held_back(self, job: Job, ask: Ask, start: Start, unmet: Sequence[object]) -> Start:
        """Has a run wait that would begin now; of one that begins later the dependencies are looked at then. Raises NoQueue where none
        may wait."""
        later = start.at is not None and start.at > self._clock.now()
        held_back = bool(unmet) and not later
        if (held_back or job.terms.start_delay) and ask.parent is None and job.terms.queue_limit == 0:
            raise NoQueue(NO_QUEUE)
        return replace(start, awaits="dependencies") if held_back else start

    def _start(self, job: Job, ask: Ask, given: Any, hash_: str) -> Start:
        now = self._clock.now()
        ttl = ask.ttl or job.terms.ttl
        metadata = {**(job.settings.get("default_run_metadata") or {}), **ask.metadata}
        told = {
            "tags": dict(ask.tags),
            "metadata": metadata,
            "idempotency_key": ask.idempotency_key,
            "payload_hash": hash_,
        }
        asked = (
            {**ask.asked, **{name: value for name, value in told.items() if value}}
            if job.terms.follows
            else dict(ask.asked)
        )
        if ask.queue_partition is not None:
            asked["queue_partition"] = ask.queue_partition
        awaited = ask.parent is not None
        return Start(
            trigger=ask.trigger,
            run_id=ask.run_id,
            parent=ask.parent,
            depth=ask.depth,
            at=self._begin(job, ask, now),
            claims=Claims(
                guards_of(job, ask, hash_, now), rates_of(job, given, ask.tags), tuple(labels_of(job, ask, metadata))
            ),
            slots=tuple(limits.slots(job, ask.concurrency_key, awaited=awaited)),
            waits=() if awaited else tuple(limits.waiting_slots(job, ask.queue_partition)),
            replaces=limits.replaces(job),
            concurrency_key=ask.concurrency_key,
            priority=ask.priority,
            expires_at=None if ttl is None else now + timedelta(seconds=ttl),
            policy=job.terms.policy,
            overrides=ask.overrides,
            group=job.terms.group,
            follows=job.terms.follows,
            asked=asked,
        )

    def _begin(self, job: Job, ask: Ask, now: datetime) -> datetime | None:
        """When the run may begin: the moment asked for, or the first minute of the job's window from then on."""
        at = self._asked_at(job, ask, now)
        wanted = max(at or now, now)
        opens = self._opens(job, wanted)
        return opens if opens > wanted else at

    @staticmethod
    def _asked_at(job: Job, ask: Ask, now: datetime) -> datetime | None:
        """The moment asked for, None: now; after the job's start delay, which no run is put off by that another waits for."""
        if not job.terms.start_delay or ask.parent is not None:
            return ask.at
        return max(ask.at or now, now) + timedelta(seconds=job.terms.start_delay)

    def _opens(self, job: Job, wanted: datetime) -> datetime:
        """The first moment from `wanted` on within the job's execution window."""
        if job.terms.window_cron is None:
            return wanted
        minute = wanted.replace(second=0, microsecond=0)
        opens = self._schedules.after(job.terms.window_cron, job.terms.timezone, minute - timedelta(minutes=1))
        return wanted if opens is None else max(opens, wanted)

    def _merge(self, job: Job, ask: Ask, start: Start) -> tuple[Run, str, datetime] | None:
        """Debounces or batches, when the job does and nobody waits for this very run."""
        if ask.parent is not None:
            return None
        now, terms = self._clock.now(), job.terms
        gathers = terms.debounce_window or terms.batch_window
        if not gathers:
            return None
        # The windows come one after the other: a merged run begins where one of its own would that was asked for at its end.
        fire_at = self._opens(job, max(ask.at or now, now + timedelta(seconds=gathers)))
        if terms.debounce_window is not None:
            return self._merging.debounce(job, ask.input, start, ask.debounce_key or "", fire_at), "debounced", fire_at
        run = self._merging.batch(job, ask.input, start, ask.batch_key or "", fire_at, self._opens(job, now))
        return run, "batched", run.scheduled_at or fire_at

    # --- answers -------------------------------------------------------------------------------------------------------------

    def _answer(self, job: Job, outcome: Run | Exception, start: Start, hash_: str) -> Submitted:
        if isinstance(outcome, Run):
            return self._made(job, outcome, start, hash_)
        return self._refused(outcome, start, hash_)

    def _made(self, job: Job, run: Run, start: Start, hash_: str) -> Submitted:
        if start.awaits is not None:
            self._upstreams.wait_for(job, run.id)
        return Submitted(run, "created", hash_, None, self._allowance(start.claims.rates))

    def _refused(self, refused: Exception, start: Start, hash_: str) -> Submitted:
        match refused:
            case AlreadyThere() if refused.mark is not None and refused.mark != hash_:
                raise Conflict("this idempotency key was used with another payload")
            case AlreadyThere():
                how = "duplicate" if (refused.guard or "").startswith("dedup#") else "idempotent"
                if how == "duplicate" and (spent := self._spend(refused, start)) is not None:
                    return self._refused(spent, start, hash_)
                return Submitted(self._runs.get(refused.run_id), how, hash_)
            case RateExceeded():
                raise self._limited(refused, start.claims.rates)
            case SlotTaken():
                raise refusal(refused, start.slots, start.waits)
        raise refused

    def _spend(self, duplicate: AlreadyThere, start: Start) -> Exception | None:
        """Has a duplicate count, since rates come before deduplication, and binds its key to the run that it was answered with. What
        refuses that; None when nothing does."""
        guards = tuple(guard for guard in start.claims.guards if guard.name != duplicate.guard)
        try:
            if guards or start.claims.rates:
                self._runs.claim(duplicate.run_id, Claims(guards, start.claims.rates), self._clock.now())
        except (AlreadyThere, RateExceeded) as refused:
            return refused
        return None

    def _limited(self, full: RateExceeded, rates: Sequence[Rate]) -> RateLimited:
        most = next(rate.most for rate in rates if rate.name == full.name)
        seconds = max((full.until - self._clock.now()).total_seconds(), 1.0)
        return RateLimited("the job's rate limit is met", seconds, Allowance(most, 0, full.until))

    def _allowance(self, rates: Sequence[Rate]) -> Allowance | None:
        """What the tightest of the job's rates leaves."""
        if not rates:
            return None
        spent = self._runs.spent(rates, self._clock.now())
        left = [
            Allowance(rate.most, max(rate.most - used, 0), until)
            for rate, (used, until) in zip(rates, spent, strict=True)
        ]
        return min(left, key=lambda allowance: allowance.remaining)

    def _warnings(self, job: Job, ask: Ask, start: Start, unmet: int) -> Iterator[str]:
        if job.terms.debounce_window is not None:
            yield f"it would be debounced for {job.terms.debounce_window} s"
        elif job.terms.batch_window is not None:
            yield f"it would be gathered into a batch for {job.terms.batch_window} s"
        if job.terms.start_delay and start.at is not None:
            yield f"it would be delayed for {job.terms.start_delay} s"
        now = self._clock.now()
        wanted = max(self._asked_at(job, ask, now) or now, now)
        if start.at is not None and self._opens(job, wanted) > wanted:
            yield f"outside the execution window: it would start at {start.at.isoformat()}"
        if unmet:
            yield f"it would wait for {unmet} of the job's dependencies"
        if start.waits or job.terms.queue_limit == 0:
            yield from self._warnings_of_queue(job, start, later=bool(unmet) or start.at is not None)
        allowance = self._allowance(start.claims.rates)
        if allowance is not None and not allowance.remaining:
            yield f"the job's rate limit is met until {allowance.resets_at.isoformat()}"
        if start.expires_at is not None and start.at is not None and start.at >= start.expires_at:
            yield "it would expire before it starts"

    def _warnings_of_queue(self, job: Job, start: Start, *, later: bool) -> Iterator[str]:
        held = self._runs.holders([slot.name for slot in (*start.slots, *start.waits)])
        refused = not limits.accepts(start.slots, start.waits, held, replaces=start.replaces, later=later)
        if refused or (job.terms.queue_limit == 0 and job.terms.start_delay):
            yield "the job's queue is full, or it has none: the run would be refused"

    @staticmethod
    def _caught(trigger: Callable[[], Submitted]) -> Submitted | QuintetError:
        try:
            return trigger()
        except QuintetError as fault:
            return fault
