"""Who may have what a creation claims: its id, its guards, a place under its rates and in its slots. One set of rules for every store."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from quintet.adapters.standing import places_passed_on, slots_taken
from quintet.domain.events import from_millis, to_millis
from quintet.domain.run import Run
from quintet.services.ports.runs import AlreadyThere, Claims, Creation, Guard, Rate, RateExceeded, SlotTaken


@dataclass(frozen=True, slots=True)
class Held:
    """A guard: the run that has it, until when (milliseconds since 1970; None: for good), and its mark."""

    run_id: str
    until: int | None = None
    mark: str | None = None

    def holds(self, now: int) -> bool:
        """True while nobody else may have the name."""
        return self.until is None or self.until > now


@dataclass(frozen=True, slots=True)
class Window:
    """A rate's counter: how many were counted in the window that is open until that moment (milliseconds since 1970)."""

    count: int
    until: int


@dataclass(slots=True)
class Standing:
    """All that a creation can meet: of a whole store, or of as much of one as was read."""

    runs: set[str] = field(default_factory=set)
    guards: dict[str, Held] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    holders: dict[str, set[str]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    """Who took a place of each slot last."""

    def refusal(self, creation: Creation) -> Exception | None:
        """Why the run can't be made now: of several reasons the first in the order of the port; None when it can."""
        run = creation.run
        if run.id in self.runs:
            return AlreadyThere(run.id)
        return self.refused_claim(creation.claims, to_millis(run.created_at)) or self.full_slot(
            run, self.passed_on(creation)
        )

    def refused_claim(self, claims: Claims, now: int) -> Exception | None:
        """The first guard that another run has, else the first rate that is full."""
        for guard in guards_of(claims):
            held = self.guards.get(guard.name)
            if held is not None and held.holds(now) and held.run_id != guard.over:
                return AlreadyThere(held.run_id, guard.name, held.mark)
        for rate in rates_of(claims):
            window = self.window(rate, now)
            if window.count >= rate.most:
                return RateExceeded(rate.name, from_millis(window.until))
        return None

    def passed_on(self, creation: Creation) -> list[str]:
        """The slots of which the new run takes the place of the one that it replaces."""
        if creation.replaces is None:
            return []
        old = creation.replaces.change.run
        return [name for name in places_passed_on(creation.run, old) if old.id in self.holders.get(name, ())]

    def full_slot(self, run: Run, passed_on: Sequence[str] = ()) -> SlotTaken | None:
        """The first slot that has no place for a new run; none is needed of those in which another makes room."""
        for slot in slots_taken(run):
            if slot.name in passed_on:
                continue
            holders = self.holders.get(slot.name, set())
            if len(holders) >= slot.limit and run.id not in holders:
                return SlotTaken(slot.name)
        return None

    def window(self, rate: Rate, now: int) -> Window:
        """The window that a count at that moment falls into: the open one, or a new one."""
        return self.open_window(rate.name, now) or Window(0, now + rate.window * 1000)

    def open_window(self, name: str, now: int) -> Window | None:
        """The window that is open at that moment."""
        window = self.windows.get(name)
        return window if window is not None and window.until > now else None

    def grant(self, creation: Creation) -> None:
        """Gives a creation that isn't refused all that it claims."""
        run = creation.run
        self.runs.add(run.id)
        self.grant_claims(run.id, creation.claims, to_millis(run.created_at))
        for slot in slots_taken(run):
            self.hold(slot.name, run.id)

    def hold(self, slot: str, run_id: str) -> None:
        """Gives a run a place of a slot."""
        self.holders.setdefault(slot, set()).add(run_id)
        self.last[slot] = run_id

    def release(self, slot: str, run_id: str) -> None:
        """Takes a run's place of a slot back, if it has one."""
        self.holders.get(slot, set()).discard(run_id)

    def grant_claims(self, run_id: str, claims: Claims, now: int) -> None:
        """Gives a run the guards and places that it claims."""
        for guard in guards_of(claims):
            until = None if guard.until is None else to_millis(guard.until)
            self.guards[guard.name] = Held(run_id, until, guard.mark)
        for rate in rates_of(claims):
            window = self.window(rate, now)
            self.windows[rate.name] = Window(window.count + 1, window.until)


def guards_of(claims: Claims) -> Sequence[Guard]:
    """The guards, each name once."""
    return list({guard.name: guard for guard in reversed(claims.guards)}.values())[::-1]


def rates_of(claims: Claims) -> Sequence[Rate]:
    """The rates, each name once."""
    return list({rate.name: rate for rate in reversed(claims.rates)}.values())[::-1]


def labels_of(claims: Claims) -> Sequence[str]:
    """The labels, each once."""
    return list(dict.fromkeys(claims.labels))
