"""`quintet logs`: what the functions of the running local cloud wrote, from the emulator's CloudWatch Logs."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from quintet_cli.errors import CommandError
from quintet_cli.settings import ACCOUNT, REGION, Settings

ENDPOINT = "endpoint"
_POLL_S = 0.5
# Lambda's own lines around each call; what a function says is between them.
_PLATFORM = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START")


class Line(NamedTuple):
    """A line that a function wrote: when (milliseconds), to which log group, and what."""

    moment: int
    source: str
    text: str


def show(settings: Settings, say: Callable[[str], None], *, follow: bool) -> None:
    """Print what was logged so far, and with `follow` what comes, until interrupted."""
    # Imported here: slow, and for this command alone.
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    client = _client(settings.home / ENDPOINT)
    try:
        _print(client, say, follow=follow)
    except BotoCoreError as error:
        raise CommandError(f"The Quintet server on {settings.home} does not answer.") from error


def _print(client: Any, say: Callable[[str], None], *, follow: bool) -> None:
    since = 0
    told: Counter[Line] = Counter()
    while True:
        found = Counter(_lines(client, since))
        # Counted, since a function may say the same twice within a millisecond.
        for line in sorted((found - told).elements()):
            say(f"{line.source}: {line.text}")
            since = line.moment
        if not follow:
            return
        told = Counter({line: count for line, count in (told | found).items() if line.moment >= since})
        time.sleep(_POLL_S)


def _client(path: Path) -> Any:
    import boto3  # noqa: PLC0415 - as above

    if not path.exists():
        raise CommandError(f"No Quintet server runs on the data folder {path.parent}.")
    return boto3.client(
        "logs",
        endpoint_url=path.read_text().strip(),
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="local",  # noqa: S106 - the emulator checks none
    )


def _lines(client: Any, since: int) -> Iterator[Line]:
    for group in client.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=since):
            for event in page["events"]:
                text = event["message"].rstrip()
                if text and not text.startswith(_PLATFORM):
                    yield Line(event["timestamp"], name.rsplit("/", 1)[-1], text)
