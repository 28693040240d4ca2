"""Signs of life: RUN#<id> / ~BEAT, beyond what is read with the journal, so that they cost a run's readers nothing."""

from contextlib import suppress
from datetime import datetime

from quintet.adapters.dynamodb.items import run_key
from quintet.adapters.dynamodb.table import Refused, Table, key, number
from quintet.domain.events import from_millis, to_millis

_BEAT = "~BEAT"


class BeatBook:
    """The part of port Runs that keeps signs of life."""

    table: Table

    def beat(self, run_id: str, at: datetime) -> None:
        """Keeps a sign of life; one that comes late moves nothing back."""
        item = key(run_key(run_id), _BEAT) | {"at": number(to_millis(at))}
        with suppress(Refused):
            self.table.put(
                item,
                ConditionExpression="attribute_not_exists(pk) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": item["at"]},
            )

    def beaten(self, run_id: str) -> datetime | None:
        """The last sign of life."""
        item = self.table.get(run_key(run_id), _BEAT)
        return None if item is None else from_millis(int(item["at"]["N"]))
