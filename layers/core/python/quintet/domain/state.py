"""What a run is at one moment: the accumulator that the journal is folded into.

A *frame* is one enactment of a list of steps: the run's own steps are the root frame (prefix ""); each iteration of a loop and each
item of a map opens a frame of the step's body. A step's *path* is its frame's prefix and its key: `load`, `poll[3].fetch`
(third iteration), `each[0].clean` (first item).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quintet.domain.definition import Graph, Plan, StepDef
from quintet.domain.status import RunStatus, StepStatus

PARKED = "parked"
"""What a step waits for whose work is on a service of its own. The attempt is under way, so the step is called running."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which invocation drives the run: the fencing token, ordered by `rank`; of two invocations of one rank the first to claim wins."""

    epoch: int = 0
    slice: int = 0
    retry: int = 0
    invocation: str = ""

    @property
    def rank(self) -> tuple[int, int, int]:
        """A claim of a higher rank takes over from a lower one."""
        return (self.epoch, self.slice, self.retry)


@dataclass(slots=True)
class StepState:
    """One step of one frame. `token` is the number of the event that began the live attempt: unique in the run, what outcomes are
    fenced by (attempts of a loop's body count anew in every attempt of the loop)."""

    path: str
    define: StepDef
    prefix: str
    unmet: int
    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    token: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempted_at: datetime | None = None
    """When the live (or last) attempt began."""
    due_at: datetime | None = None
    """When it was due, of one that came after a rest."""
    deadline: datetime | None = None
    alert_at: datetime | None = None
    """When the live attempt is to be said late."""
    result: Any = None
    error: Mapping[str, Any] | None = None
    skip_reason: str | None = None
    wait: Mapping[str, Any] = field(default_factory=dict)
    decision: str | None = None
    carried: bool = False
    carrier: str | None = None
    leaves: str | None = None
    """What the live attempt leaves at work elsewhere, to be stopped when the attempt is cut short: code | parked."""
    claim: Claim = Claim()
    reused_from: str | None = None
    progress: Mapping[str, Any] | None = None
    trace: Mapping[str, float] | None = None
    """Where the time of the live (or last) attempt went: milliseconds by phase."""
    items: Any = None
    total: int | None = None
    opened: int = 0
    closed: int = 0
    broken: int = 0

    @property
    def parked(self) -> bool:
        """True while its work is on a service of its own."""
        return self.wait.get("for") == PARKED

    @property
    def composite(self) -> bool:
        """True for a step that holds a body (loop, map)."""
        return bool(self.define.body)

    @property
    def dormant(self) -> bool:
        """True for a rescue step as long as nothing has failed."""
        return self.define.rescue and self.unmet > 0


@dataclass(slots=True)
class Frame:
    """One enactment of a list of steps; `open` counts the steps not settled yet, `dormant` those of them that only a failure releases."""

    prefix: str
    graph: Graph
    owner: str | None
    index: int | None
    open: int
    dormant: int = 0
    failed_by: str | None = None

    @property
    def paths(self) -> Iterator[str]:
        """The paths of this frame's steps, as written."""
        return (self.prefix + step.key for step in self.graph.steps)


@dataclass(slots=True)
class RunState:
    """The fold of a run's journal up to event `number`.

    The indexes hold paths, in order: `ready` (dependencies settled), `fresh` (of these, not looked at yet), `running` (an attempt in
    flight), `waiting` (for time, an answer, a child run, a retry), `turns` (loops and maps whose next move is due), `timed` (has a
    deadline), `failing` (prefixes of frames to end). `abandoned` holds the child runs (and maps, processes and parked work, by fold's
    names for them) whose step ended without them, with the number of the event that ended it, until they are known to be stopped.
    """

    run_id: str
    plan: Plan
    status: RunStatus = RunStatus.QUEUED
    number: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    changed_at: datetime | None = None
    deadline: datetime | None = None
    alert_at: datetime | None = None
    until: datetime | None = None
    paused_at: datetime | None = None
    input: Any = None
    attempts: int = 0
    gathered: list[Any] = field(default_factory=list)
    given: Mapping[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    """What programs that work on the run have said of it; None: taken out."""
    variables: dict[str, Any] = field(default_factory=dict)
    """What steps have set, by (dotted) name, as stored."""
    error: Mapping[str, Any] | None = None
    canceled_by: str | None = None
    claim: Claim = Claim()
    steps: dict[str, StepState] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    ready: dict[str, None] = field(default_factory=dict)
    fresh: dict[str, None] = field(default_factory=dict)
    running: dict[str, None] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)
    turns: dict[str, None] = field(default_factory=dict)
    timed: dict[str, None] = field(default_factory=dict)
    failing: dict[str, None] = field(default_factory=dict)
    abandoned: dict[str, int] = field(default_factory=dict)

    def frame_of(self, step: StepState) -> Frame:
        """The frame a step belongs to."""
        return self.frames[step.prefix]

    def inside(self, owner: str, index: int) -> Frame | None:
        """The frame of a loop's iteration or a map's item."""
        return self.frames.get(frame_prefix(owner, index))

    @property
    def root(self) -> Frame:
        """The frame of the run's own steps."""
        return self.frames[""]

    def counts(self) -> dict[StepStatus, int]:
        """How many root steps stand in each status."""
        found = dict.fromkeys(StepStatus, 0)
        for path in self.root.paths:
            found[self.steps[path].status] += 1
        return found


def frame_prefix(owner: str, index: int) -> str:
    """What the paths inside an iteration or item begin with."""
    return f"{owner}[{index}]."
