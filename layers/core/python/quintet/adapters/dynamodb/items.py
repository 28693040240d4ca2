"""How a run lies in its table: keys, index keys, and its item read back.

RUN#<id>       #META            the run's face (`view`), lease, epoch, index keys; `head`: a short beginning of its journal; `pending`:
                                no wake starts a burst for it; `outcome`, `end_at`: how and when a followed run ended
RUN#<id>       J#<number>       events from that number on, as JSON text; `w`: who wrote them, to know an own repeated write
RUN#<id>       SNAP#<part>      the newest snapshot, compressed
RUN#<id>       ~BEAT            `at`: the last sign of life of whoever works on it; beyond what is read with the journal
REC#<id>#<kind> <id>            a checkpoint, an output: what a run's program keeps
SLOT#<name>    #SLOT            `holders`: the runs that hold the slot
ITEMS#<run>#<token> <index>     what an item of a fanned-out map came to
GUARD#<name>   #GUARD           the run that was made under that name, `until` when, and its `mark`
RATE#<name>    #RATE            `n` were counted in the window that lasts `until`
LABEL#<project>#<label> <run>   the runs of a label
COUNT#<project> <shard>         how many runs stand in each status
COUNT#<project>/group/<group> <shard>   the same of a job group's
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quintet.adapters.dynamodb.table import Item, key, number, text
from quintet.adapters.records import events_from_text, pack, run_from_text, run_to_text
from quintet.adapters.standing import queue_of, unwakeable
from quintet.domain.errors import TooLarge
from quintet.domain.events import Event, event_to_dict, from_millis, to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Lapse

META, LAST = "#META", "J~"
DUE_SHARDS = 4
CHUNK_BYTES = 200_000
EVENT_BYTES = 380_000
APPEND_BYTES = 3_500_000  # a transaction holds 4 MB
HEAD_BYTES = 600
META_BYTES = 940  # a META of up to 1 KB costs one unit a write; what it still gets (times, a lease) needs room


def run_key(run_id: str) -> str:
    """The partition of a run."""
    return f"RUN#{run_id}"


def journal_key(first: int) -> str:
    """Where the events from that number on lie."""
    return f"J#{first:012d}"


def project_status(project: str, status: RunStatus) -> str:
    """The partition of the index by_status."""
    return f"{project}#{status}"


def due_shard(run_id: str) -> str:
    """The partition of the index due: a run's own, so that moving its due time stays in one place."""
    return str(zlib.crc32(run_id.encode()) % DUE_SHARDS)


def due_key(run_id: str, due_at: datetime) -> str:
    """The place in the index due."""
    return f"{to_millis(due_at):015d}#{run_id}"


def due_item(run_id: str, due_at: datetime) -> Item:
    """The attributes that put a run into the index due."""
    return {"due_shard": text(due_shard(run_id)), "due_at": text(due_key(run_id, due_at))}


def end_key(millis: int, run_id: str) -> str:
    """The place in the index by_end."""
    return f"{millis:015d}#{run_id}"


def queue_item(run: Run, slot: str | None) -> Item:
    """The attributes that put a run into a slot's queue; none without a slot."""
    if slot is None:
        return {}
    rank = 99 - min(max(run.priority, 0), 99)
    return {"queue_slot": text(slot), "queue_rank": text(f"{rank:02d}#{run.id}")}


def face_item(run: Run) -> Item:
    """The attributes that follow the run's face."""
    item = {"view": text(run_to_text(run)), "project_status": text(project_status(run.project, run.status))}
    if run.status.terminal:
        ended = to_millis(run.ended_at or run.updated_at)
        item["ended"] = number(ended)
        if run.follows:
            took = "-" if run.duration is None else round(run.duration * 1000)
            item |= {"end_at": text(end_key(ended, run.id)), "outcome": text(f"{run.status} {took}")}
    if unwakeable(run):
        item["pending"] = {"BOOL": True}
    return item


def meta_item(run: Run, lease_until: datetime | None, due_at: datetime | None) -> Item:
    """A new run's item, active at epoch 1 with a lease."""
    item = key(run_key(run.id), META) | {"id": text(run.id), "project": text(run.project)} | face_item(run)
    if run.item is None:  # the items of a map are no runs of the job that people list
        item["job_id"] = text(run.job_id)
    item |= {"epoch": number(1 if lease_until else 0), "active": {"BOOL": lease_until is not None}}
    if lease_until is not None:
        item["lease_until"] = number(to_millis(lease_until))
    due = lease_until or due_at
    if due is not None:
        item |= due_item(run.id, due)
    if run.status is RunStatus.QUEUED:
        item |= queue_item(run, queue_of(run.slots))
    return item


def size(item: Item) -> int:
    """An item's bytes, about as DynamoDB counts them."""
    return sum(len(name) + sum(len(str(value).encode()) for value in typed.values()) for name, typed in item.items())


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events that lie in one item, as JSON text."""

    first: int
    text: str


def chunks(base: int, events: Sequence[Event]) -> list[Chunk]:
    """The events in items of at most about 200 KB. Raises TooLarge when no item, or no transaction, holds them."""
    found: list[Chunk] = []
    first, held, held_bytes = base + 1, list[str](), 0
    for offset, event in enumerate(events):
        packed = pack(event_to_dict(event))
        length = len(packed.encode())
        if length > EVENT_BYTES:
            raise TooLarge(f"an event of {length} bytes is above what the journal holds")
        if held and held_bytes + length > CHUNK_BYTES:
            found.append(Chunk(first, f"[{','.join(held)}]"))
            first, held, held_bytes = base + 1 + offset, [], 0
        held.append(packed)
        held_bytes += length + 1
    if held:
        found.append(Chunk(first, f"[{','.join(held)}]"))
    if len(found) > 1 and sum(len(chunk.text.encode()) for chunk in found) > APPEND_BYTES:
        raise TooLarge(f"{len(events)} events at once are above what one append holds")
    return found


def journal_item(run_id: str, chunk: Chunk, writer: str | None = None) -> Item:
    """A journal item."""
    item = key(run_key(run_id), journal_key(chunk.first)) | {"events": text(chunk.text)}
    return item | {"w": text(writer)} if writer else item


def numbered(item: Item) -> tuple[int, list[Event]]:
    """The first number and the events of a journal item, or of a run's item with the journal's head."""
    sk: str = item["sk"]["S"]
    if sk == META:
        head = item.get("head")
        return 1, events_from_text(head["S"]) if head else []
    return int(sk.removeprefix("J#")), events_from_text(item["events"]["S"])


def run_of(item: Item) -> Run:
    """The run of its item, or of its entry in by_project or by_status."""
    run_id: str = item["id"]["S"]
    project: str = item["project"]["S"] if "project" in item else item["project_status"]["S"].rpartition("#")[0]
    return run_from_text(run_id, project, item["view"]["S"])


def lease_of(item: Item) -> datetime | None:
    """Until when the burst has the run."""
    return from_millis(int(item["lease_until"]["N"])) if "lease_until" in item else None


def status_of(item: Item) -> RunStatus:
    """Where the run of this item stands."""
    return RunStatus(item["project_status"]["S"].rpartition("#")[2])


def lapse_of(item: Item) -> Lapse:
    """What the sweep sees of a run."""
    due_at = from_millis(int(item["due_at"]["S"].partition("#")[0]))
    epoch, active = int(item["epoch"]["N"]), item["active"]["BOOL"]
    return Lapse(item["id"]["S"], due_at, status_of(item), epoch, active, lease_of(item))
