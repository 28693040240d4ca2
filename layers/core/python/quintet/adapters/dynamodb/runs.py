"""Runs in DynamoDB: their changes and admission, each one transaction."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from quintet.adapters.dynamodb.beats import BeatBook
from quintet.adapters.dynamodb.browse import RunBrowse
from quintet.adapters.dynamodb.changes import QUEUE_KEYS, changed, freed, update
from quintet.adapters.dynamodb.claims import slot_of
from quintet.adapters.dynamodb.creation import CreationBook
from quintet.adapters.dynamodb.items import (
    META,
    Chunk,
    chunks,
    face_item,
    queue_item,
    run_key,
    status_of,
)
from quintet.adapters.dynamodb.items import project_status as status_key
from quintet.adapters.dynamodb.journal import append_alone, journal_puts
from quintet.adapters.dynamodb.leases import LeaseBook, change, lease_values
from quintet.adapters.dynamodb.lists import RunLists
from quintet.adapters.dynamodb.maps import MapBook
from quintet.adapters.dynamodb.slots import count, free, has_room, take
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, number, text
from quintet.adapters.standing import ADMISSIBLE, admitted, slots_of
from quintet.domain.errors import AppendConflict, NotFound
from quintet.domain.events import Event
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change, SlotTaken


class DynamoRuns(CreationBook, LeaseBook, RunLists, RunBrowse, MapBook, BeatBook):
    """Port Runs on one table."""

    def __init__(self, table: str) -> None:
        self.table = Table(table)

    def append(self, run_id: str, base: int, events: Sequence[Event], change: Change | None = None) -> None:
        """Writes events `base`+1, ... and the run's changed item. Raises AppendConflict when another was first."""
        if change is None:
            append_alone(self.table, run_id, base, events)
            return
        parts = chunks(base, events)

        def operations(tried: int) -> list[Operation]:
            written = [*journal_puts(run_id, parts), changed(change), *count(change.run, change.was, tried)]
            return written + freed(change)

        try:
            self.table.transact(operations)
        except Refused:
            raise AppendConflict(f"run {run_id} is past {base}, or not {change.was}") from None

    def admit(self, run: Run, base: int, events: Sequence[Event], lease_until: datetime) -> int:
        """Gives a queued run its slots and makes it active; the epoch. Raises AppendConflict, SlotTaken."""
        parts = chunks(base, events)
        while True:
            meta = self.table.get(run_key(run.id), META)
            if meta is None:
                raise NotFound(f"no run {run.id}")
            epoch = int(meta["epoch"]["N"]) + 1
            was = status_of(meta)
            admission = partial(_admission, run, parts, lease_until, epoch, was)
            try:
                if was in ADMISSIBLE:
                    self.table.transact(admission)
                else:
                    self._refuse_started(run, base, was)
            except Refused as refused:
                self._not_admitted(run, meta, refused)
            else:
                return epoch

    def _refuse_started(self, run: Run, base: int, status: RunStatus) -> None:
        if self.tail(run.id, base):
            raise AppendConflict(f"run {run.id} is past {base}")
        raise SlotTaken(f"run {run.id} is {status}")

    def _not_admitted(self, run: Run, meta: Item, refused: Refused) -> None:
        """Says why, unless the run may be admitted after all; a run stands in the queue of the slot that was full."""
        if "journal" in refused.labels:
            raise AppendConflict(f"run {run.id} has changed")
        full = slot_of(refused.labels)
        if full is None:
            return  # the item changed since it was read: read it again
        if meta.get("queue_slot") != text(full):
            place = queue_item(run, full)
            values = {":slot": place["queue_slot"], ":rank": place["queue_rank"], ":was": meta["project_status"]}
            try:
                change(
                    self.table, run.id, "SET queue_slot = :slot, queue_rank = :rank", "project_status = :was", values
                )
            except Refused:
                return
            if has_room(self.table, run, full):
                return  # it was given back before the run stood in its queue, so nobody else would admit it
        raise SlotTaken(full)


def _admission(
    run: Run, parts: Sequence[Chunk], lease_until: datetime, epoch: int, was: RunStatus, tried: int
) -> list[Operation]:
    lease = lease_values(run.id, lease_until)
    attributes = face_item(admitted(run)) | {
        "active": {"BOOL": True},
        "epoch": number(epoch),
        "lease_until": lease[":lease"],
        "due_shard": lease[":shard"],
        "due_at": lease[":due"],
    }
    condition = "project_status = :was AND epoch = :epoch"
    values = {":was": text(status_key(run.project, was)), ":epoch": number(epoch - 1)}
    begun = update(run, attributes, (*QUEUE_KEYS, "pending", "dirty"), condition, values)
    taken = [take(slot.name, slot.limit, [run.id]) for slot in slots_of(run)]
    left = [free(name, run.id) for name in {slot.name: None for slot in run.waits}]
    return [*journal_puts(run.id, parts), begun, *taken, *left, *count(run, was, tried)]
