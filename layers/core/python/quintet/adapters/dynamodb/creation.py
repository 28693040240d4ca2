"""Runs made: one in one transaction, or many in few, and who is refused by what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from quintet.adapters.claims import Standing
from quintet.adapters.dynamodb.changes import changed, freed
from quintet.adapters.dynamodb.claims import Claimant, claiming, opening, places, read_standing, slot_of
from quintet.adapters.dynamodb.items import (
    HEAD_BYTES,
    META,
    META_BYTES,
    Chunk,
    chunks,
    journal_key,
    meta_item,
    run_key,
    size,
)
from quintet.adapters.dynamodb.journal import JournalReads, journal_puts
from quintet.adapters.dynamodb.slots import count_all, counters_of, pass_on, slot_key, take
from quintet.adapters.dynamodb.table import Item, Operation, Refused, text
from quintet.adapters.standing import slots_freed, slots_taken, unstarted
from quintet.domain.errors import AppendConflict, QuintetError, Throttled, TooLarge
from quintet.domain.events import from_millis, to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import AlreadyThere, Claims, Creation, Rate, Replacement, SlotTaken

MOST_OPERATIONS = 100  # of a transaction
MOST_BYTES = 3_500_000  # it holds 4 MB
OPERATION_BYTES = 300  # of what is no item of its own
GROUP_TRIES = 3  # before the creations of a group are done one by one
TRIES = 25  # each one lost means that another's claim was granted
REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A creation with its items, the places it touches, and its bytes."""

    creation: Creation
    meta: Item
    parts: Sequence[Chunk]
    claimant: Claimant
    touched: frozenset[tuple[str, str]]
    length: int
    last_parts: Sequence[Chunk] = ()
    """The end of the journal of the run that it replaces."""

    @property
    def claims_anything(self) -> bool:
        """True when it may be refused for more than its own id."""
        claims = self.creation.claims
        return bool(claims.guards or claims.rates or slots_taken(self.creation.run))


@dataclass(frozen=True, slots=True)
class Trial:
    """What a transaction is tried with: who is refused before it (None: nobody) and who is in it. It ends before the first that would take
    over what another in it claims: an item can't be touched twice."""

    faults: list[Exception | None]
    made: list[Prepared]
    opening: set[str]
    places: dict[str, Operation] = field(default_factory=dict)
    """By slot how a place goes from a replaced run to the one that replaces it."""


class CreationBook(JournalReads):
    """The part of port Runs that makes runs, and claims for them."""

    def create(self, creation: Creation) -> None:
        """Writes a new run. Raises AlreadyThere, RateExceeded, SlotTaken, AppendConflict, TooLarge."""
        (fault,) = self._make([_prepared(creation)])
        if fault is not None:
            raise fault

    def create_many(self, creations: Sequence[Creation]) -> list[Exception | None]:
        """The same for many, in few transactions: None for each that was written, else what `create` would have raised for it."""
        answers: list[Exception | None] = [None] * len(creations)
        ready: list[tuple[int, Prepared]] = []
        for place, creation in enumerate(creations):
            try:
                ready.append((place, _prepared(creation)))
            except TooLarge as fault:
                answers[place] = fault
        for group in _groups(ready):
            for (place, _), answer in zip(group, self._answered([one for _, one in group]), strict=True):
                answers[place] = answer
        return answers

    def claim(self, run_id: str, claims: Claims, now: datetime) -> None:
        """Claims for a run that exists. Raises AlreadyThere, RateExceeded."""
        project = self.get(run_id).project if claims.labels else ""
        claimant = Claimant(run_id, project, claims, to_millis(now))
        opened: set[str] = set()
        for _ in range(TRIES):
            try:
                self.table.transact(lambda _, opened=opened: list(claiming([claimant], opened)))  # type: ignore[misc]  # binds it
            except Refused:
                standing = read_standing(self.table, runs=(), claims=[claims], slots=())
                if fault := standing.refused_claim(claims, claimant.now):
                    raise fault from None
                opened = opening(standing, [claimant])
            else:
                return
        raise Throttled("too many claims of one name at once", retry_after=1)

    def spent(self, rates: Sequence[Rate], now: datetime) -> list[tuple[int, datetime]]:
        """What is counted under each rate at present, and until when its window lasts (now: none is open)."""
        standing = read_standing(self.table, runs=(), claims=[Claims(rates=tuple(rates))], slots=())
        windows = [standing.open_window(rate.name, to_millis(now)) for rate in rates]
        return [(0, now) if window is None else (window.count, from_millis(window.until)) for window in windows]

    # --- a transaction ---------------------------------------------------------------------------------------------------------

    def _answered(self, group: Sequence[Prepared]) -> list[Exception | None]:
        try:
            return self._make(group)
        except QuintetError as fault:  # none of these is made, but others of the many may be: it is these ones' answer
            return [fault] * len(group)

    def _make(self, group: Sequence[Prepared]) -> list[Exception | None]:
        # Alone it is tried without a look: most claims are granted. Of many that claim, some are likely to be refused. Who takes over a
        # place must know the others that hold one.
        look = any(one.creation.replaces or (len(group) > 1 and one.claims_anything) for one in group)
        trial = _trial(group, self._standing(group) if look else Standing(), known=look)
        for tried in range(1, TRIES + 1):
            try:
                if trial.made:
                    self.table.transact(partial(_operations, trial))
            except Refused as refused:
                if len(group) == 1 and (fault := _plain_fault(group[0], refused)):
                    return [fault]
                changed_meanwhile = REPLACED in refused.labels
            else:
                left = group[len(trial.faults) :]
                return [*trial.faults, *(self._answered(left) if left else [])]
            if len(group) > 1 and tried == GROUP_TRIES:
                return [self._answered([one])[0] for one in group]
            trial = _trial(group, self._standing(group), known=True)
            if changed_meanwhile and trial.made:
                return [AppendConflict("the run that was to be replaced has changed")]
        raise Throttled("too many claims of one name at once", retry_after=1)

    def _standing(self, group: Sequence[Prepared]) -> Standing:
        ids = [one.creation.run.id for one in group]
        slots = {slot.name for one in group for slot in slots_taken(one.creation.run)}
        return read_standing(self.table, runs=ids, claims=[one.creation.claims for one in group], slots=sorted(slots))


def _trial(group: Sequence[Prepared], standing: Standing, *, known: bool) -> Trial:
    """Grants the creations one after the other what is there, as the transaction will."""
    trial = Trial([], [], opening(standing, (one.claimant for one in group)) if known else set())
    guards, rates = set[str](), set[str]()
    for one in group:
        fault = standing.refusal(one.creation)
        if fault is None:
            named = {guard.name for guard in one.creation.claims.guards}
            counted = {rate.name for rate in one.creation.claims.rates}
            if named & guards or any(standing.open_window(name, one.claimant.now) is None for name in counted & rates):
                return trial
            guards |= named
            rates |= counted
            trial.places.update(_passed_on(one.creation, standing))
            standing.grant(one.creation)
            trial.made.append(one)
        trial.faults.append(fault)
    return trial


def _passed_on(creation: Creation, standing: Standing) -> Iterator[tuple[str, Operation]]:
    if creation.replaces is not None:
        old = creation.replaces.change.run.id
        for name in standing.passed_on(creation):
            yield name, pass_on(name, standing.holders[name], old, creation.run.id)


def _operations(trial: Trial, tried: int) -> list[Operation]:
    group = trial.made
    asked: list[Operation] = []
    takers: dict[str, list[str]] = {}
    limits: dict[str, int] = {}
    moves: list[tuple[Run, RunStatus | None]] = []
    for one in group:
        run, old = one.creation.run, one.creation.replaces
        moves.append((run, None))
        if old is not None:
            moves.append((old.change.run, old.change.was))
            asked += _replaced(one, old)
        asked.append(("run", "Put", {"Item": one.meta, "ConditionExpression": "attribute_not_exists(pk)"}))
        asked += journal_puts(run.id, one.parts)
        for slot in slots_taken(run):
            takers.setdefault(slot.name, []).append(run.id)
            limits[slot.name] = min(slot.limit, limits.get(slot.name, slot.limit))
    asked += claiming([one.claimant for one in group], trial.opening)
    for name, run_ids in takers.items():
        asked.append(trial.places.get(name) or take(name, limits[name], run_ids))
    return [*asked, *count_all(moves, tried)]


def _replaced(one: Prepared, old: Replacement) -> Iterator[Operation]:
    """The end of the run that makes room; labelled `replaced` where it may have changed meanwhile. What the new one takes of the same slots
    is not its affair."""
    for _, verb, params in (*journal_puts(old.change.run.id, one.last_parts), changed(old.change)):
        yield REPLACED, verb, params
    yield from freed(old.change, but=[slot.name for slot in slots_taken(one.creation.run)])


def _plain_fault(one: Prepared, refused: Refused) -> Exception | None:
    """Why it was refused when that needs no look: by its own id, or by a slot and nothing else could have."""
    run, claims = one.creation.run, one.creation.claims
    if "run" in refused.labels or "journal" in refused.labels:
        return AlreadyThere(run.id)
    full = slot_of(refused.labels)
    return SlotTaken(full) if full is not None and not claims.guards and not claims.rates else None


# --- preparing -------------------------------------------------------------------------------------------------------------------


def _prepared(creation: Creation) -> Prepared:
    """Raises TooLarge for what no transaction holds."""
    run, claims = creation.run, creation.claims
    meta = meta_item(run, None if unstarted(run) else creation.lease_until, creation.due_at)
    parts = _head_in(meta, chunks(0, creation.events))
    claimant = Claimant(run.id, run.project, claims, to_millis(run.created_at))
    touched = {(run_key(run.id), META), *((run_key(run.id), journal_key(part.first)) for part in parts)}
    touched |= places(claimant) | {slot_key(slot.name) for slot in slots_taken(run)}
    touched |= {(partition, "") for partition in counters_of(run)}
    last_parts: Sequence[Chunk] = ()
    if (old := creation.replaces) is not None:
        last_parts = chunks(old.base, old.events)
        touched |= {(run_key(old.change.run.id), journal_key(part.first)) for part in last_parts}
        touched |= {slot_key(slot.name) for slot in slots_freed(old.change.run, old.change.was)}
        touched |= {(run_key(old.change.run.id), META), *((one, "") for one in counters_of(old.change.run))}
    if len(touched) > MOST_OPERATIONS:
        raise TooLarge(
            f"a run with {len(claims.labels)} labels and {len(parts)} parts is above what one transaction holds"
        )
    length = size(meta) + sum(len(part.text.encode()) for part in parts) + OPERATION_BYTES * len(touched)
    return Prepared(creation, meta, parts, claimant, frozenset(touched), length, last_parts)


def _head_in(meta: Item, parts: list[Chunk]) -> list[Chunk]:
    """Puts a short beginning of the journal into the run's item; what remains to be written by itself."""
    if len(parts) != 1:
        return parts
    length = len(parts[0].text.encode())
    if length > HEAD_BYTES or size(meta) + length > META_BYTES:
        return parts
    meta["head"] = text(parts[0].text)
    return []


def _groups(ready: Sequence[tuple[int, Prepared]]) -> Iterator[list[tuple[int, Prepared]]]:
    """The (numbered) creations, in order, in as few transactions as hold them."""
    group: list[tuple[int, Prepared]] = []
    touched, held = set[tuple[str, str]](), 0
    for one in ready:
        if one[1].creation.replaces is not None:  # what it touches it touches alone
            if group:
                yield group
            yield [one]
            group, touched, held = [], set(), 0
            continue
        together = touched | one[1].touched
        if group and (len(together) > MOST_OPERATIONS or held + one[1].length > MOST_BYTES):
            yield group
            group, together, held = [], set(one[1].touched), 0
        group.append(one)
        touched, held = together, held + one[1].length
    if group:
        yield group
