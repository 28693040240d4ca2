"""Changes of the checkout, brought live while the server runs."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_kind_of_change_is_brought_live_without_losing_data(launch: Callable[..., Any], checkout: Path) -> None:
    """New code, a new layer, a broken file, a mended one, a new machine and a new template, one after the other."""
    handler = checkout / "functions/echo/handler.py"
    cloud = launch().ready()
    cloud.until_said("Ready")
    cloud.api.put("/api/items/kept")
    assert (cloud.json("/api/hi")["version"], cloud.json("/api/hi")["word"]) == ("first", "one")

    _edit(handler, 'VERSION = "first"', 'VERSION = "second"')
    cloud.until(lambda: cloud.json("/api/hi")["version"] == "second")
    assert "Deployed new code of EchoFunction" in cloud.until_said("Deployed new code of EchoFunction in")

    _edit(checkout / "layers/core/python/greeting/__init__.py", '"one"', '"two"')
    cloud.until(lambda: cloud.json("/api/hi")["word"] == "two")

    _edit(handler, 'VERSION = "second"', 'VERSION = = "third"')
    assert "functions/echo/handler.py:" in cloud.until_said("Not deployed")
    assert cloud.json("/api/hi")["version"] == "second"
    _edit(handler, 'VERSION = = "third"', 'VERSION = "third"')
    cloud.until(lambda: cloud.json("/api/hi")["version"] == "third")

    _edit(checkout / "statemachines/greet.asl.json", '"said"', '"shouted"')
    cloud.until(lambda: cloud.json("/api/services")["machine"] == {"shouted": "hello"})

    _edit(checkout / "template.yaml", "Word: hello", "Word: welcome")
    cloud.until(lambda: cloud.json("/api/services")["machine"] == {"shouted": "welcome"})

    _edit(checkout / "template.yaml", "  Queue:\n    Type: AWS::SQS::Queue", "  Queue:\n    Type: AWS::SQS::Nothing")
    cloud.until_said("Not deployed: template.yaml")
    assert cloud.json("/api/items/kept")["item"]["sk"]["S"] == "kept"
    assert cloud.complained == []
    assert cloud.stop() == 0


def test_a_changed_table_is_kept_by_a_kill_that_follows_at_once(launch: Callable[..., Any], checkout: Path) -> None:
    """A new index is there after kill -9 right behind its deployment, and finds the items of before."""
    first = launch().ready()
    first.api.put("/api/items/kept")
    index = """
        - IndexName: by-sort
          KeySchema:
            - {AttributeName: sk, KeyType: HASH}
          Projection: {ProjectionType: ALL}
      TimeToLiveSpecification:"""
    _edit(checkout / "template.yaml", "\n      TimeToLiveSpecification:", index)
    first.until_said("Deployed the template")
    first.stop(signal.SIGKILL)

    second = launch("--no-watch").ready()
    found = _table(second).query(
        IndexName="by-sort", KeyConditionExpression="sk = :sk", ExpressionAttributeValues={":sk": "kept"}
    )
    assert [item["pk"] for item in found["Items"]] == ["item"]


def _table(cloud: Any) -> Any:
    endpoint = (cloud.home / "endpoint").read_text().strip()
    keys = {"aws_access_key_id": "000000000000", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    resource = boto3.resource("dynamodb", endpoint_url=endpoint, **keys)
    [table] = resource.tables.all()
    return table


def test_what_was_changed_while_it_was_stopped_is_live_after_the_start(
    launch: Callable[..., Any], checkout: Path
) -> None:
    """Code and template of the last stop do not matter: the start brings what is there now, and keeps the data."""
    first = launch("--no-watch").ready()
    first.api.put("/api/items/kept")
    first.stop()
    _edit(checkout / "functions/echo/handler.py", '"first"', '"later"')
    _edit(checkout / "template.yaml", "Word: hello", "Word: later")
    second = launch("--no-watch").ready()
    assert second.json("/api/hi")["version"] == "later"
    assert second.json("/api/services")["machine"] == {"said": "later"}
    assert second.json("/api/items/kept")["item"]["sk"]["S"] == "kept"
