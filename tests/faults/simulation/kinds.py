"""Step kinds of the simulation: their outcomes follow from the seed, so that a history repeats itself."""

import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from simulation.faults import PortFailed
from simulation.leavings import SimParking
from simulation.world import World

from quintet.domain.errors import Problem, QuintetError
from quintet.domain.outcome import Completed, Failed, Opens, Outcome, StepError, Waits
from quintet.domain.state import PARKED
from quintet.services.ports.steps import StepCall


class SimKind:
    """What all kinds here have in common."""

    name = ""
    pure = False
    sees_scope = False
    starts_child = False
    attempt_seconds = float("inf")
    raw: frozenset[str] = frozenset()
    default_timeout = 30.0
    max_timeout = 900.0

    def __init__(self, world: World) -> None:
        self.world = world

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """Never called: only one kind parks work."""
        raise AssertionError

    def problems(self, step: Any) -> list[Problem]:
        """None: the simulation writes only good configs."""
        return []

    def leaves(self, step: Any) -> str | None:
        """Nothing: all that is done here is done at once."""
        return None

    def chance(self, call: StepCall) -> float:
        """A number in [0, 1) that is the same whenever this attempt is enacted."""
        return self.chance_of(call)

    @staticmethod
    def chance_of(call: StepCall) -> float:
        """The same for whoever is no kind."""
        return zlib.crc32(f"{call.run.id}{call.step.path}{call.attempt}".encode()) / 2**32


class Work(SimKind):
    """An effect outside that may fail, for a while or for good."""

    name = "work"

    def enact(self, call: StepCall) -> Outcome:
        """Completes, or fails as its chance has it."""
        chance = self.chance(call)
        if chance < call.config.get("failing", 0.2):
            return Failed(StepError("Unlucky", "by chance", retryable=chance < 0.15))
        return Completed({"attempt": call.attempt})


class Program(SimKind):
    """A program that works for some seconds, and then comes to what its chance has; now and then longer than it may."""

    name = "program"

    def leaves(self, step: Any) -> str | None:
        """A process."""
        return "code"

    def enact(self, call: StepCall) -> Outcome:
        """Runs it; the runner itself ends one that takes too long, unless it hangs."""
        seconds = call.config["seconds"]
        late = seconds > call.timeout and not call.config["hangs"]
        self.world.leavings.run(call.run.id, call.token, min(seconds, call.timeout) if late else seconds)
        if late:
            return Failed(StepError("Timeout", "the runner ended it"))
        if self.chance(call) < call.config["breaks"]:
            raise PortFailed("its answer")
        return came_to(call, {"fails": call.config["fails"], "token": call.token})


class ParkedJob(SimKind):
    """A job on a service of its own."""

    name = "job"
    attempt_seconds = 30.0

    def leaves(self, step: Any) -> str | None:
        """Parked work."""
        return PARKED

    def enact(self, call: StepCall) -> Outcome:
        """Hands it over."""
        SimParking(self.world).start(call.run.id, call.step.path, call.token, call.config)
        seconds = call.config["deadline"]
        return Waits(PARKED, deadline=None if seconds is None else call.now + timedelta(seconds=seconds))

    def conclude(self, call: StepCall, ended: Mapping[str, Any]) -> Outcome:
        """As its chance has it."""
        return came_to(call, ended)


def came_to(call: StepCall, ended: Mapping[str, Any]) -> Outcome:
    """An outcome that names the attempt whose work it is of, and notes it."""
    notes = {"worked": ended["token"]}
    if SimKind.chance_of(call) < ended["fails"]:
        return Failed(StepError("Unlucky", "by chance"), notes=notes)
    return Completed({"token": ended["token"]}, notes=notes)


class Set(SimKind):
    """Decided at once."""

    name = "set"
    pure = True

    def enact(self, call: StepCall) -> Outcome:
        """Its values."""
        return Completed(dict(call.config))


class Pause(SimKind):
    """Waits for time."""

    name = "pause"
    pure = True

    def enact(self, call: StepCall) -> Outcome:
        """Until the seconds have passed."""
        return Waits("time", until=call.now + timedelta(seconds=call.config["seconds"]))


class Ask(SimKind):
    """Waits for a person, with or without a deadline."""

    name = "input"
    pure = True

    def enact(self, call: StepCall) -> Outcome:
        """Until somebody answers."""
        seconds = call.config.get("seconds")
        deadline = None if seconds is None else call.now + timedelta(seconds=seconds)
        return Waits("input", deadline=deadline, details={"decision": f"{call.run.id}{call.step.path}"})


class Each(SimKind):
    """A map over a few items, two at a time."""

    name = "each"

    def items(self, call: StepCall) -> list[Any] | None:
        """As many as the config says."""
        return list(range(call.config["count"]))

    def enact(self, call: StepCall) -> Outcome:
        """Never called: a map makes turns."""
        raise AssertionError

    def turn(self, call: StepCall) -> Outcome:
        """Opens items two at a time; any broken one breaks the map."""
        step = call.step
        if step.broken:
            return Failed(StepError("ItemFailed", "an item failed"))
        if step.closed == step.total:
            return Completed([call.results(index) for index in range(step.total)])
        return Opens(tuple(range(step.opened, min(step.total or 0, step.closed + 2))))


class Times(SimKind):
    """A loop of a fixed number of iterations."""

    name = "times"

    def items(self, call: StepCall) -> list[Any] | None:
        """None: a loop."""
        return None

    def enact(self, call: StepCall) -> Outcome:
        """Never called: a loop makes turns."""
        raise AssertionError

    def turn(self, call: StepCall) -> Outcome:
        """The next iteration, or the end."""
        step = call.step
        if step.broken:
            return Failed(StepError("IterationFailed", "an iteration failed"))
        if step.closed < step.opened:
            return Opens()
        return (
            Completed({"iterations": step.closed}) if step.closed == call.config["count"] else Opens((step.opened + 1,))
        )


class Call(SimKind):
    """Starts a run of another job and waits for it."""

    name = "call"
    starts_child = True

    def enact(self, call: StepCall) -> Outcome:
        """Starts the child in a process of its own, as a network call would."""
        services = self.world.process(self.world.kinds, PlainExpressions())
        try:
            child = services.start_child(call, call.config["job_id"], None)
        except (PortFailed, QuintetError) as error:
            return Failed(StepError("ChildNotStarted", str(error)))
        return Waits("child", details={"child": child})


class PlainExpressions:
    """Just enough of the Expressions port: conditions are `true` or `false`, nothing is a template."""

    def fault(self, expression: str) -> str | None:
        """Nothing is wrong."""
        return None

    def evaluate(self, expression: str, scope: Mapping[str, Any]) -> Any:
        """The two conditions there are."""
        return expression == "true"

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """As it is."""
        return value

    def template_faults(self, value: Any) -> list[Problem]:
        """None."""
        return []

    def reads(self, value: Any) -> frozenset[str] | None:
        """Nothing."""
        return frozenset()


def all_kinds(world: World) -> dict[str, Any]:
    """The registry."""
    return {kind.name: kind(world) for kind in (Work, Program, ParkedJob, Set, Pause, Ask, Each, Times, Call)}
