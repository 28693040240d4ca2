"""Who drives a run: every change of hands is one conditional write on the run's item."""

from contextlib import suppress
from datetime import datetime
from secrets import token_hex
from typing import Any

from quintet.adapters.dynamodb.items import META, due_item, run_key, status_of
from quintet.adapters.dynamodb.table import Item, Refused, Table, number, text
from quintet.domain.errors import NotFound
from quintet.domain.events import to_millis

_MINE = "epoch = :epoch AND active = :yes"
_DRIVE = (
    "SET active = :yes, epoch = epoch + :one, lease_until = :lease, due_shard = :shard, due_at = :due, taker = :taker "
    "REMOVE dirty"
)


def lease_values(run_id: str, lease_until: datetime) -> Item:
    """What a lease writes: the sweep looks at the run when it ends."""
    due = due_item(run_id, lease_until)
    return {":lease": number(to_millis(lease_until)), ":shard": due["due_shard"], ":due": due["due_at"]}


def change(table: Table, run_id: str, expression: str, condition: str, values: Item) -> Item:
    """Changes the run's item on a condition; what it set. Raises Refused."""
    words = _names(f"{expression} {condition}")
    params: dict[str, Any] = {
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ReturnValues": "UPDATED_NEW",
    }
    if used := {name: value for name, value in values.items() if name in words}:
        params["ExpressionAttributeValues"] = used  # an empty one is refused
    return table.update(run_key(run_id), META, **params)


def _names(expression: str) -> set[str]:
    words = expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
    return {word for word in words if word.startswith(":")}


def _values(run_id: str, epoch: int = 0, lease_until: datetime | None = None) -> Item:
    values = {":yes": {"BOOL": True}, ":no": {"BOOL": False}, ":one": number(1), ":epoch": number(epoch)}
    return values | (lease_values(run_id, lease_until) if lease_until else {})


def _taker() -> Item:
    return {":taker": text(token_hex(4))}


class LeaseBook:
    """The part of port Runs that hands runs from burst to burst."""

    table: Table

    def wake(self, run_id: str, lease_until: datetime) -> int | None:
        """Makes a resting run active; the new epoch, or None when a burst is active (told), it has ended, or only admission starts it."""
        values = _values(run_id, lease_until=lease_until) | _taker()
        while True:
            try:
                resting = "active = :no AND attribute_not_exists(ended) AND attribute_not_exists(pending)"
                return int(change(self.table, run_id, _DRIVE, resting, values)["epoch"]["N"])
            except Refused:
                pass
            item = self.table.get(run_key(run_id), META)
            if item is None:
                raise NotFound(f"no run {run_id}")
            if item.get("taker") == values[":taker"]:
                return int(item["epoch"]["N"])  # a request repeated after a lost answer finds its own work done
            if "ended" in item or "pending" in item or "dirty" in item:
                return None
            try:
                change(self.table, run_id, "SET dirty = :yes", "active = :yes AND attribute_not_exists(ended)", values)
            except Refused:
                continue  # it rested, or ended, since it was read: look again
            return None

    def reclaim(self, run_id: str, epoch: int, lease_until: datetime) -> int | None:
        """Takes a run whose burst of `epoch` let its lease lapse; the new epoch, or None when someone else was first."""
        values = _values(run_id, epoch, lease_until) | _taker()
        try:
            return int(change(self.table, run_id, _DRIVE, _MINE, values)["epoch"]["N"])
        except Refused:
            item = self.table.get(run_key(run_id), META) or {}
            return int(item["epoch"]["N"]) if item.get("taker") == values[":taker"] else None

    def renew(self, run_id: str, epoch: int, lease_until: datetime) -> bool:
        """Lengthens the lease of the burst of `epoch`; False when that burst no longer has the run."""
        expression = "SET lease_until = :lease, due_shard = :shard, due_at = :due"
        try:
            change(self.table, run_id, expression, _MINE, _values(run_id, epoch, lease_until))
        except Refused:
            return False
        return True

    def rest(self, run_id: str, epoch: int, due_at: datetime | None) -> bool:
        """Makes the run inactive until woken; False (and dirty cleared) when the burst must look again first."""
        values = _values(run_id, epoch)
        if due_at is None:
            expression = "SET active = :no REMOVE lease_until, due_shard, due_at"
        else:
            due = due_item(run_id, due_at)
            values |= {":shard": due["due_shard"], ":due": due["due_at"]}
            expression = "SET active = :no, due_shard = :shard, due_at = :due REMOVE lease_until"
        try:
            change(self.table, run_id, expression, f"{_MINE} AND attribute_not_exists(dirty)", values)
        except Refused:
            return self._rested_before(run_id, epoch)
        return True

    def _rested_before(self, run_id: str, epoch: int) -> bool:
        """After a refusal: True only when this very epoch rests already, as after a request whose answer was lost."""
        item = self.table.get(run_key(run_id), META)
        if item is None or int(item["epoch"]["N"]) != epoch or status_of(item).terminal:
            return False
        if not item["active"]["BOOL"]:
            return True
        with suppress(Refused):  # someone else has the run by now; this burst must look anyway
            change(self.table, run_id, "REMOVE dirty", _MINE, _values(run_id, epoch))
        return False

    def postpone(self, run_id: str, due_at: datetime) -> None:
        """Moves a resting or queued run's due time; nothing for an active or ended one."""
        due = due_item(run_id, due_at)
        values = _values(run_id) | {":shard": due["due_shard"], ":due": due["due_at"]}
        resting = "active = :no AND attribute_not_exists(ended)"
        with suppress(Refused):
            change(self.table, run_id, "SET due_shard = :shard, due_at = :due", resting, values)

    def forget_due(self, run_id: str) -> None:
        """Takes an ended run out of the due index."""
        with suppress(Refused):
            change(self.table, run_id, "REMOVE due_shard, due_at", "attribute_exists(ended)", {})
