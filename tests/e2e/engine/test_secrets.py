"""What is secret stays out of everything that is shown, kept or logged."""

import json

import pytest
from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server

TOKEN = "token-3f9a1c"
WORD = "word-77e0d2"


def _logged(server: Server) -> str:
    """Everything that the functions and machines have written to the account's logs."""
    logs = server.aws("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    found = [event["message"] for group in groups for event in logs.filter_log_events(logGroupName=group)["events"]]
    return "\n".join([*found, server.said])


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_request_carries_is_not_told(client: Client, endpoint: Endpoint, server: Server, fails: bool) -> None:
    """A header's and a query's secrets are in the definition alone: not in the run, its steps, events, logs or the journal."""
    endpoint.failing["/guarded"] = 9 * fails
    config = {"url": f"{endpoint.url}/guarded?key={WORD}", "headers": {"Authorization": f"Bearer {TOKEN}"}}
    run_id = client.start(step("call", kind="http_request", config={**config, "expectStatus": [200]}))
    assert client.ended(run_id)["status"] == ("failed" if fails else "completed")
    assert endpoint.calls == [f"/guarded?key={WORD}"]
    shown = [client.get(f"/automation-runs/{run_id}{part}").text for part in ("", "/waiting")]
    shown += [json.dumps(list(client.events(run_id)))]
    shown += [json.dumps(client.steps(run_id)), json.dumps(server.journal(run_id))]
    everything = "\n".join([*shown, _logged(server)])
    assert TOKEN not in everything
    assert WORD not in everything


def test_a_webhooks_secret_is_shown_once_and_kept_sealed(client: Client, server: Server) -> None:
    """The answer that makes it has it; no later answer, log or stored item has it again."""
    made = client.define(step("a"), triggerType="webhook")
    secret = made["webhookSecret"].removeprefix("whsec_")
    shown = [client.get(path).text for path in (
        f"/automations/{made['id']}", f"/automations/{made['id']}/versions", "/automations?limit=1000",
    )]  # fmt: skip
    shown.append(client.patch(f"/automations/{made['id']}", json={"name": "renamed"}).text)
    rotated = client.good(client.patch(f"/automations/{made['id']}", json={"rotateWebhookSecret": True}))
    assert rotated["webhookSecret"].removeprefix("whsec_") != secret
    key = {":pk": {"S": f"JOB#{made['id']}"}}
    stored = server.aws("dynamodb").query(
        TableName=server.variable("JOBS_TABLE"), KeyConditionExpression="pk = :pk", ExpressionAttributeValues=key
    )["Items"]
    assert len(stored) >= 2
    everything = "\n".join([*shown, json.dumps(stored, default=str), _logged(server)])
    assert secret not in everything
    assert rotated["webhookSecret"].removeprefix("whsec_") not in everything


def test_the_api_key_is_nowhere(client: Client, server: Server) -> None:
    """Only its digest is stored, and a refused one isn't logged either."""
    wrong = client.get("/automation-runs", headers={"authorization": "Bearer wrong-5e21aa"})
    assert wrong.status_code == 401
    items = server.aws("dynamodb").scan(TableName=server.variable("JOBS_TABLE"))["Items"]
    everything = json.dumps(items, default=str) + _logged(server)
    assert "local-dev-key" not in everything
    assert "wrong-5e21aa" not in everything + wrong.text
