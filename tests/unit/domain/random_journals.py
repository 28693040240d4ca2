"""Random journals: a small hand plays the rules over a random plan, without ports, bursts or time of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from quintet.domain import rules
from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.events import Event, EventType, to_millis
from quintet.domain.outcome import StepError
from quintet.domain.rules import Draft
from quintet.domain.state import PARKED, Claim, RunState

START = datetime(2026, 1, 1, tzinfo=UTC)
UNLUCKY = StepError("Unlucky", "by chance", details={"n": 1})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=3,
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan with loops and maps, two deep at most."""
    return Plan(draw(_frame(0)))


@st.composite
def _frame(draw: st.DrawFn, depth: int) -> tuple[StepDef, ...]:
    made: list[StepDef] = []
    for index in range(draw(st.integers(1, 5 - 2 * depth))):
        kind = draw(st.sampled_from(("work", "work", "wait", "loop", "map") if depth < 2 else ("work", "wait")))
        needed = draw(st.sets(st.sampled_from([step.key for step in made]), max_size=2)) if made else set()
        made.append(
            StepDef(
                f"s{index}",
                kind,
                depends_on=tuple(sorted(needed)),
                config={"count": draw(st.integers(1, 2))},
                retry=RetryPolicy(draw(st.integers(1, 3)), Strategy.FIXED, 1.0),
                on_failure=draw(st.sampled_from(OnFailure)),
                body=draw(_frame(depth + 1)) if kind in {"loop", "map"} else (),
            )
        )
    return tuple(made)


@dataclass
class Hand:
    """Plays one run; `choose` draws from hypothesis."""

    draw: st.DrawFn
    draft: Draft

    @property
    def state(self) -> RunState:
        """The state as played so far."""
        return self.draft.state

    def play(self) -> list[Event]:
        """The whole journal, until the run has ended or the hand is tired."""
        self.draft.add(EventType.RUN_CREATED, input=self.draw(json_values))
        self.draft.add(EventType.RUN_STARTED, deadline=self.draw(st.none() | st.just(to_millis(START) + 500_000)))
        self._claim(1)
        for turn in range(120):
            if self.state.status.terminal:
                break
            self._rules(turn)
        return self.draft.events

    def _claim(self, epoch: int) -> None:
        claim = Claim(epoch, 0, 0, f"i{epoch}")
        data = {"epoch": epoch, "slice": 0, "retry": 0, "invocation": claim.invocation}
        self.draft.add(EventType.BURST_CLAIMED, **data)
        rules.crash_lost(self.draft, claim)

    def _rules(self, turn: int) -> None:
        self.draft.now += timedelta(seconds=self.draw(st.sampled_from((0, 1, 5))))
        rules.overdue(self.draft)
        if self.state.status.terminal:
            return
        rules.collapse(self.draft)
        if self.state.status.terminal:
            return
        rules.skip_blocked(self.draft)
        rules.conclude(self.draft)
        if self.state.status.terminal:
            return
        moves = [("start", path) for path in [*self.state.ready, *rules.due_retries(self.state, self.draft.now)]]
        moves += [("end", path) for path in self.state.running]
        moves += [("park", path) for path in self.state.running if self.state.steps[path].leaves == PARKED]
        moves += [("end", path) for path in self.state.waiting if self.state.steps[path].parked]
        moves += [("turn", path) for path in self.state.turns]
        moves += [("answer", p) for p in self.state.waiting if self.state.steps[p].wait.get("for") == "input"]
        what = self.draw(st.integers(0, 40))
        if what == 0:
            self._claim(turn + 2)
        elif what == 1:
            rules.cancel_run(self.draft, "ada", None)
        elif what == 2:
            self.draft.add(EventType.RUN_CLEARED, until=self.draw(st.integers(0, self.state.number)))
        elif what == 3 and self.state.running:
            self._settle_by_hand(self.draw(st.sampled_from(list(self.state.running))))
        elif moves:
            move, path = self.draw(st.sampled_from(moves))
            getattr(self, f"_{move}")(path)

    def _start(self, path: str) -> None:
        step = self.state.steps[path]
        number = step.attempt + 1
        if step.define.kind == "wait":
            until = to_millis(self.draft.now) + self.draw(st.sampled_from((0, 3000)))
            kind = self.draw(st.sampled_from(("time", "input")))
            data: dict[str, Any] = {"until": until} if kind == "time" else {"deadline": until + 10_000}
            self.draft.add(EventType.STEP_WAITING, path, **{**data, "for": kind})
        elif step.composite:
            total = step.define.config["count"] if step.define.kind == "map" else None
            items = None if total is None else list(range(total))
            self.draft.add(EventType.STEP_STARTED, path, attempt=number, total=total, items=items)
        else:
            carried = self.draw(st.none() | st.just(True))
            deadline = to_millis(self.draft.now) + 20_000
            leaves = self.draw(st.sampled_from((None, "code", PARKED)))
            data = {"attempt": number, "carried": carried, "leaves": leaves, "deadline": deadline}
            self.draft.add(EventType.STEP_STARTED, path, **data)

    def _park(self, path: str) -> None:
        deadline = self.draw(st.none() | st.just(to_millis(self.draft.now) + 30_000))
        self.draft.add(EventType.STEP_WAITING, path, deadline=deadline, **{"for": PARKED})

    def _settle_by_hand(self, path: str) -> None:
        rules.cancel_inside(self.draft, self.state.steps[path])
        if self.draw(st.booleans()):
            self.draft.add(EventType.STEP_SKIPPED, path, reason="by_hand", by="ada")
        else:
            self.draft.add(EventType.STEP_COMPLETED, path, result=1, by="ada")

    def _end(self, path: str) -> None:
        trace = self.draw(st.none() | st.just({"total_ms": 1.5}))
        if self.draw(st.booleans()):
            self.draft.add(
                EventType.RUN_NOTED,
                metadata={self.draw(st.text("ab", max_size=2)): self.draw(st.none() | st.booleans())},
            )
        if self.draw(st.integers(0, 3)):
            self.draft.add(EventType.STEP_COMPLETED, path, result=self.draw(json_values), trace=trace)
        else:
            rules.fail(self.draft, path, UNLUCKY, trace=trace, cut=self.draw(st.booleans()))

    _answer = _end

    def _turn(self, path: str) -> None:
        step = self.state.steps[path]
        self.state.turns.pop(path)
        count = step.define.config["count"]
        if step.broken:
            rules.fail(self.draft, path, UNLUCKY)
        elif step.closed == step.opened == count:
            self.draft.add(EventType.STEP_COMPLETED, path, result=self.draw(json_values))
        elif step.closed == step.opened:
            first = 0 if step.define.kind == "map" else 1
            self.draft.add(EventType.FRAME_OPENED, path, index=first + step.opened)


@st.composite
def journals(draw: st.DrawFn) -> tuple[Plan, list[Event]]:
    """A plan and a journal of a run of it."""
    plan = draw(plans())
    return plan, Hand(draw, Draft(RunState("r", plan), START)).play()
