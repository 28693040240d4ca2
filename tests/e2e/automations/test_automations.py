"""The Automations API on the whole deployment, over HTTP."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint

GATE = step("gate", kind="approval_gate", config={"message": "go on?"})


def test_a_dag_with_a_branch_a_loop_and_a_map_runs_to_completion(client: Client) -> None:
    """Every kind of step that needs nothing outside, with results that feed each other."""
    run_id = client.start(
        step("numbers", config={"values": {"list": "{% [1..input.n] %}"}}),
        step("big", "numbers", kind="conditional_branch", config={"expression": "$count(steps.numbers.list) > 2"}),
        step("skipped", "big", when="steps.big.value = false"),
        step("each", "numbers", kind="map", config={
            "items": "{% steps.numbers.list %}",
            "steps": [step("square", config={"values": {"value": "{% item * item %}"}})],
        }),
        step("again", kind="loop", config={"while": "iteration < 3", "steps": [step("turn")]}),
        step("sum", "each", "again", config={"values": {"sum": "{% $sum(steps.each.value) %}"}}),
        body={"input": {"n": 4}},
    )  # fmt: skip
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    assert run["durationSeconds"] >= 0
    steps = client.steps(run_id)
    assert steps["big"]["result"] == {"value": True}
    assert steps["skipped"]["status"] == "skipped"
    assert steps["again"]["result"]["iterations"] == 3
    assert steps["sum"]["result"] == {"sum": 30}
    nested = client.steps(run_id, nested="true")
    assert nested["each[3].square"]["result"] == {"value": 16}
    assert "again[3].turn" in nested


def test_the_live_stream_shows_a_run_as_it_happens_and_resumes_exactly(client: Client) -> None:
    """Events come while the run waits; a client that leaves and returns gets the rest; the end ends it, then 204."""
    run_id = client.start(step("first"), GATE | {"dependsOn": ["first"]}, step("last", "gate"))
    seen = []
    for event in client.events(run_id):
        seen.append(event)
        if event[1] == "step.status" and event[2]["key"] == "gate":
            break
    client.good(client.post(f"/automation-runs/{run_id}/steps/gate/approve"))
    seen += list(client.events(run_id, seen[-1][0]))
    assert [event[1] for event in seen][-1] == "end"
    whole = list(client.events(run_id))
    assert [(event[0], event[2]) for event in seen] == [(event[0], event[2]) for event in whole]
    done = [event[2]["key"] for event in whole if event[2].get("status") == "completed" and "key" in event[2]]
    assert done == ["first", "gate", "last"]
    again = client.get(f"/automation-runs/{run_id}/events", headers={"last-event-id": whole[-1][0]})
    assert (again.status_code, again.content) == (204, b"")


def test_of_racing_answers_exactly_one_is_taken(client: Client) -> None:
    """Ten approvals and rejections at once: one 200, nine 409, and the run goes on by the one."""
    run_id = client.start(GATE)
    client.until(lambda: client.steps(run_id)["gate"]["decisionId"] is not None)
    reasons = client.good(client.get(f"/automation-runs/{run_id}/waiting"))["reasons"]
    assert [reason["step"] for reason in reasons] == ["gate"]
    statuses: list[int] = []

    def answer(number: int) -> None:
        verb = "approve" if number % 2 else "reject"
        statuses.append(client.post(f"/automation-runs/{run_id}/steps/gate/{verb}").status_code)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 9
    assert client.ended(run_id)["status"] in ("completed", "failed")


def test_a_retry_reuses_what_completed(client: Client, endpoint: Endpoint) -> None:
    """After a failure only the failed step and what follows it is done again."""
    endpoint.failing["/fragile"] = 1
    run_id = client.start(
        step("solid", kind="http_request", config={"url": f"{endpoint.url}/solid"}),
        step("fragile", "solid", kind="http_request", config={"url": f"{endpoint.url}/fragile"}),
        step("after", "fragile", kind="http_request", config={"url": f"{endpoint.url}/after"}),
    )
    failed = client.ended(run_id)
    assert (failed["status"], failed["error"]["step"]) == ("failed", "fragile")
    retried = client.good(client.post(f"/automation-runs/{run_id}/retry", json={}))
    assert (retried["triggerSourceType"], retried["triggerSourceId"]) == ("run", run_id)
    assert client.ended(retried["id"])["status"] == "completed"
    assert endpoint.calls == ["/solid", "/fragile", "/fragile", "/after"]
    body = {"mode": "from_step", "stepKey": "fragile"}
    again = client.good(client.post(f"/automation-runs/{retried['id']}/retry", json=body))
    assert client.ended(again["id"])["status"] == "completed"
    assert endpoint.calls[4:] == ["/fragile", "/after"]
    assert client.steps(again["id"])["solid"]["result"]["body"] == {"path": "/solid"}


def test_retries_within_a_run(client: Client, endpoint: Endpoint) -> None:
    """A step that fails twice succeeds at its third attempt, and the stream tells of each."""
    endpoint.failing["/fragile"] = 2
    retry = {"maxAttempts": 3, "strategy": "custom", "delaysSeconds": [0.05]}
    run_id = client.start(step("a", kind="http_request", config={"url": f"{endpoint.url}/fragile"}, retry=retry))
    assert client.ended(run_id)["status"] == "completed"
    told = [(data["attempt"], data["status"]) for _, event, data in client.events(run_id) if event == "step.status"]
    assert [one for one in told if one[1] in ("running", "completed")] == [
        (1, "running"), (2, "running"), (3, "running"), (3, "completed")
    ]  # fmt: skip


def test_one_run_per_concurrency_key_at_a_time(client: Client) -> None:
    """The second waits, says why, and starts when the first is cancelled."""
    automation = client.define(GATE)
    body = {"concurrencyKey": automation["id"]}
    first, second = (client.good(client.post(f"/automations/{automation['id']}/run", json=body), 201) for _ in range(2))
    assert second["status"] == "pending"
    assert client.good(client.get(f"/automation-runs/{second['id']}/waiting"))["reasons"][0]["reason"] == "concurrency"
    assert client.good(client.post(f"/automation-runs/{first['id']}/cancel"))["status"] == "cancelled"
    assert client.post(f"/automation-runs/{first['id']}/cancel").status_code == 409
    client.until(lambda: client.run(second["id"])["status"] == "running")
    client.good(client.post(f"/automation-runs/{second['id']}/cancel"))


def test_a_signed_webhook_starts_one_run_however_often_it_comes(client: Client) -> None:
    """Ten deliveries of one message at once: 202 each, with one run; a forged one is refused."""
    automation = client.define(step("a", config={"values": {"got": "{% input %}"}}), triggerType="webhook")
    raw, at = json.dumps({"order": 7}), datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(automation["webhookSecret"]).sign("msg_1", at, raw),
        "content-type": "application/json",
        "authorization": "",
    }
    path = f"/webhooks/{automation['webhookPath']}"
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.post(path, content=raw, headers=headers)))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = {client.good(answer, 202)["runId"] for answer in answers}
    assert len(runs) == 1
    run = client.ended(runs.pop())
    assert (run["status"], run["triggerType"]) == ("completed", "webhook")
    assert client.steps(run["id"])["a"]["result"] == {"got": {"order": 7}}
    forged = {**headers, "webhook-id": "msg_2"}
    assert client.post(path, content=raw, headers=forged).status_code == 401


def test_lists_page_through_everything_once(client: Client) -> None:
    """Pages put together are the whole, newest first; totals and filters agree."""
    automation = client.define(step("a"))
    made = [client.good(client.post(f"/automations/{automation['id']}/run", json={}), 201)["id"] for _ in range(12)]
    for run_id in made:
        client.ended(run_id)
    paged: list[str] = []
    for offset in range(0, 12, 5):
        page = client.good(client.get("/automation-runs", params={"limit": 5, "offset": offset, "status": "completed"}))
        paged += [run["id"] for run in page["items"]]
    assert paged[:12] == made[::-1]
    totals = {
        word: client.good(client.get("/automation-runs", params={"limit": 1, "status": word}))["total"]
        for word in ("pending", "running", "completed", "failed", "cancelled")
    }
    assert sum(totals.values()) == client.good(client.get("/automation-runs"))["total"]


def test_a_large_result_is_cut_and_the_link_has_the_whole(client: Client) -> None:
    """The whole of a cut result can be read at the link, without a key."""
    text = "é" * 50_000
    run_id = client.start(step("a", config={"values": {"text": "{% input.text %}"}}), body={"input": {"text": text}})
    assert client.ended(run_id)["status"] == "completed"
    found = client.steps(run_id)["a"]
    assert found["resultTruncated"] is True
    assert found["result"]["size"] > 64 * 1024
    assert httpx.get(found["result"]["url"], trust_env=False).json() == {"text": text}


def test_a_large_definition_is_kept_whole(client: Client) -> None:
    """Close to the bound of a body; it runs, is read back as written, and changes make versions."""
    steps = [step("a", config={"values": {"text": "x" * 900_000}})]
    automation = client.define(*steps)
    assert client.good(client.get(f"/automations/{automation['id']}"))["config"]["steps"] == steps
    run_id = client.good(client.post(f"/automations/{automation['id']}/run", json={}), 201)["id"]
    assert client.ended(run_id)["status"] == "completed"
    changed = client.good(client.patch(f"/automations/{automation['id']}", json={"config": {"steps": [step("b")]}}))
    assert changed["versionNumber"] == 2
    assert client.good(client.get(f"/automations/{automation['id']}/versions"))["total"] == 2
    assert client.delete(f"/automations/{automation['id']}").status_code == 204
    assert client.get(f"/automations/{automation['id']}").status_code == 404
    assert client.run(run_id)["versionNumber"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer local-dev-key"},
        {"x-api-key": "local-dev-key"},
        {"cookie": "theme=dark; vai_token=local-dev-key"},
    ],
)
def test_every_way_to_carry_a_key(url: str, headers: dict[str, str]) -> None:
    """Bearer token, key header and cookie, as the document names them, through the gateway."""
    assert httpx.get(f"{url}/api/v1/automation-runs", headers=headers, trust_env=False).status_code == 200


def test_a_gate_inside_a_map_is_answered_by_its_path(client: Client) -> None:
    """The path's brackets come through the gateway, encoded or not."""
    gates = step("each", kind="map", config={"items": [1, 2], "steps": [step("ok", kind="approval_gate")]})
    run_id = client.start(gates)
    client.until(lambda: "each[1].ok" in client.steps(run_id, nested="true"))
    client.until(lambda: client.steps(run_id, nested="true")["each[1].ok"]["decisionId"] is not None)
    client.good(client.post(f"/automation-runs/{run_id}/steps/each%5B0%5D.ok/approve"))
    client.good(client.post(f"/automation-runs/{run_id}/steps/each[1].ok/approve"))
    assert client.ended(run_id)["status"] == "completed"


BAD: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/automation-runs", {"headers": {"authorization": ""}}, 401),
    ("GET", "/automation-runs", {"headers": {"authorization": "Bearer wrong"}}, 401),
    ("GET", "/automation-runs?limit=0", {}, 422),
    ("GET", "/automation-runs?status=nope", {}, 422),
    ("GET", "/automation-runs/nope", {}, 422),
    ("GET", "/automation-runs/497f6eca-6276-4993-bfeb-53cbbbba6f08", {}, 404),
    ("GET", "/nothing-here", {}, 404),
    ("PUT", "/automations", {}, 405),
    ("POST", "/automations", {"content": b"{"}, 422),
    ("POST", "/automations", {"content": b"\xff\xfe"}, 422),
    ("POST", "/automations", {"content": b"[" * 100_000}, 422),
    ("POST", "/automations", {"content": b'"' + b"x" * (1024 * 1024) + b'"'}, 422),
    ("POST", "/automations", {"json": {"name": "a", "config": {"steps": [step("a", "b"), step("b", "a")]}}}, 422),
    ("POST", "/automations", {"json": {"name": "a", "config": {"steps": [step("a", kind="magic")]}}}, 422),
    ("POST", "/automations", {"json": {"name": "a", "config": {"steps": [step("a", when="(")]}}}, 422),
    ("POST", "/webhooks/nowhere", {"json": {}}, 404),
]


@pytest.mark.parametrize(("method", "path", "more", "status"), BAD, ids=lambda one: str(one)[:60])
def test_bad_requests_are_refused_in_shape(
    client: Client, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    """Through the gateway too: the status, a detail, a request id, and nothing made."""
    before = client.good(client.get("/automations"))["total"]
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    answer = client.request(method, path, headers=headers, **more)
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["detail"], list if status == 422 else str)
    assert answer.headers["x-request-id"]
    assert client.good(client.get("/automations"))["total"] == before
