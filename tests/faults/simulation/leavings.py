"""What attempts leave at work elsewhere: programs on a leash, and jobs on a service of their own, in virtual time.

Neither hears of the engine but by its leash or by a stop: they go on whatever dies around them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulation.faults import PortFailed, ProcessDied

from quintet.services.stops import leash

if TYPE_CHECKING:
    from simulation.world import World

Name = tuple[str, int]
"""A run and the token of one of its attempts."""
LOOK = 1.0
TOLD_AGAIN = 3


@dataclass(slots=True)
class Leavings:
    """Everything that is or was at work elsewhere; `names` are taken for good, so that what was stopped never begins."""

    world: "World"
    names: set[Name] = field(default_factory=set)
    live: set[Name] = field(default_factory=set)
    begun: set[Name] = field(default_factory=set)
    stopped_jobs: set[Name] = field(default_factory=set)
    saved: int = 0
    """How many were at work when they were stopped."""
    kept_away: int = 0
    """How many were stopped before they began."""
    untold: int = 0
    in_pool: list[float] | None = None
    """The seconds of the programs that the attempt at hand has begun, while it is one of a pool's."""

    # --- programs ----------------------------------------------------------------------------------------------------------------

    def run(self, run_id: str, token: int, seconds: float) -> None:
        """Runs a program: in a pool beside others, else to its end."""
        name = (run_id, token)
        if self._leashed(name):
            self.kept_away += 1
            return
        self.live.add(name)
        self.begun.add(name)
        ends = self.world.clock.now() + timedelta(seconds=seconds)
        self.world.later(min(LOOK, seconds), lambda: self._look(name, ends))
        if self.in_pool is not None:
            self.in_pool.append(seconds)
        else:
            self.world.stall(seconds)

    def _look(self, name: Name, ends: datetime) -> None:
        left = (ends - self.world.clock.now()).total_seconds()
        if self._leashed(name) and left > 0:
            self.saved += 1
        elif left > 0:
            self.world.later(min(LOOK, left), lambda: self._look(name, ends))
            return
        self.live.discard(name)

    def _leashed(self, name: Name) -> bool:
        return bool(self.world.stores["blobs"].names(leash(*name), 1))

    def leashed(self) -> set[Name]:
        """The programs that were told to end."""
        split = (name.split("/") for name, _ in self.world.stores["blobs"].names("leashes/", 100_000))
        return {(run_id, int(token)) for _, run_id, token in split}

    # --- jobs --------------------------------------------------------------------------------------------------------------------

    def begin(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """Begins a job, once."""
        name = (run_id, token)
        if name in self.names:
            return
        self.names.add(name)
        self.live.add(name)
        self.begun.add(name)
        if work["seconds"] is not None:
            self.world.later(work["seconds"], lambda: self._end(path, name, dict(work)))

    def stop(self, name: Name) -> None:
        """Stops a job, or keeps it from beginning."""
        self.kept_away += name not in self.names
        self.saved += name in self.live
        self.names.add(name)
        self.stopped_jobs.add(name)
        self.live.discard(name)

    def _end(self, path: str, name: Name, work: dict[str, Any]) -> None:
        if name not in self.live:
            return
        if not self.world.calm and self.world.random.random() < 0.3:
            self._untold(name)  # the machine died with it
        else:
            self._tell(path, name, work, TOLD_AGAIN)

    def _tell(self, path: str, name: Name, work: dict[str, Any], tries: int) -> None:
        """The machine's last call, again after a fault; it is at work until then."""
        if name not in self.live:
            return  # stopped in between
        run_id, token = name
        try:
            self.world.settle(run_id, path, token, {**work, "token": token})
        except (ProcessDied, PortFailed):
            if tries and self.world.random.random() < 0.8:
                self.world.later(2.0, lambda: self._tell(path, name, work, tries - 1))
            else:
                self._untold(name)
            raise
        self.live.discard(name)
        if not self.world.calm and self.world.random.random() < 0.1:  # once more, as at-least-once has it
            self.world.later(5.0, lambda: self.world.settle(run_id, path, token, {"fails": 0.0, "token": token}))

    def _untold(self, name: Name) -> None:
        self.untold += 1
        self.live.discard(name)


class SimParking:
    """Port Parking on a network with faults."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def start(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """Starts the work, once."""
        begin = self.world.leavings.begin
        self.world.call("parking.start", lambda: begin(run_id, path, token, work), repeatable=True)

    def stop(self, run_id: str, token: int) -> None:
        """Stops it."""
        self.world.call("parking.stop", lambda: self.world.leavings.stop((run_id, token)), repeatable=True)

    def at_work(self, run_id: str, token: int) -> bool:
        """True until its end is told, or it was stopped."""
        live = self.world.leavings.live
        answer: bool = self.world.call("parking.at_work", lambda: (run_id, token) in live, repeatable=True)
        return answer
