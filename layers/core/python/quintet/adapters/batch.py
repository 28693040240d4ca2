"""Messages of a queue as an event source hands them over: each is done or not, apart from the others."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from quintet.adapters.telemetry import faults_logged

Answer = dict[str, list[dict[str, str]]]
"""{batchItemFailures: [{itemIdentifier}]}: what is to come again."""


def each_message(event: Mapping[str, Any], act: Callable[[Any], object], at_once: int = 1) -> Answer:
    """Does `act` with the body (JSON) of every message, so many side by side; those whose act raises come again."""
    records = event["Records"]

    def failed(record: Mapping[str, Any]) -> bool:
        try:
            with faults_logged(message=record["messageId"], body=record["body"]):
                act(json.loads(record["body"]))
        except Exception:  # noqa: BLE001  # logged; the message's fault must not make the others come again
            return True
        return False

    if at_once == 1:
        again = [record for record in records if failed(record)]
    else:
        with ThreadPoolExecutor(at_once) as pool:
            again = [record for record, fault in zip(records, pool.map(failed, records), strict=True) if fault]
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in again]}
