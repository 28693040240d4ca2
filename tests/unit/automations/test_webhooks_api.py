"""Webhook deliveries over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from automations_desk import Answer, Desk, step
from standardwebhooks import Webhook

ECHO = step("a", config={"values": {"got": "{% input %}"}})


def hook(desk: Desk, **fields: Any) -> dict[str, Any]:
    """A webhook automation that shows its input."""
    return desk.define(ECHO, triggerType="webhook", **fields)


def deliver(
    desk: Desk, path: str, secret: str, raw: str = "{}", *, id_: str = "msg_1", age: float = 0, **changed: str
) -> Answer:
    """A signed delivery; `changed` headers replace the right ones."""
    at = datetime.now(UTC) - timedelta(seconds=age)
    signed = {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, at, raw),
    }
    headers = {**signed, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return desk.post(f"/webhooks/{path}", raw=raw, key=None, headers=headers)


def test_a_signed_delivery_starts_a_run_with_its_body_as_input(desk: Desk) -> None:
    """202 with the run's id; the run is a webhook's and has the delivery's id as source."""
    made = hook(desk)
    assert made["webhookPath"] == made["id"]
    assert made["webhookSecret"].startswith("whsec_")
    answer = deliver(desk, made["id"], made["webhookSecret"], json.dumps({"x": [1, "é"]}))
    assert answer.status == 202, answer.text
    assert set(answer.json) == {"runId"}
    desk.drive()
    run = desk.get(f"/automation-runs/{answer.json['runId']}").json
    assert (run["status"], run["triggerType"], run["triggerSourceType"]) == ("completed", "webhook", "webhook")
    assert run["triggerSourceId"] == "msg_1"
    result = desk.get(f"/automation-runs/{run['id']}/result").json
    assert result["outputs"]["a"]["got"] == {"x": [1, "é"]}


def test_a_repeated_delivery_answers_with_its_run_and_starts_nothing(desk: Desk) -> None:
    """The webhook-id stands for its run, also with a new timestamp days later; another id starts another run."""
    made = hook(desk)
    first = deliver(desk, made["id"], made["webhookSecret"])
    again = deliver(desk, made["id"], made["webhookSecret"], age=60)
    assert (again.status, again.json) == (202, first.json)
    desk.clock.advance(2 * 86_400)
    assert deliver(desk, made["id"], made["webhookSecret"]).json == first.json
    assert deliver(desk, made["id"], made["webhookSecret"], id_="msg_2").json != first.json
    assert desk.get("/automation-runs").json["total"] == 2


def test_the_secret_is_shown_once_and_kept_sealed(desk: Desk) -> None:
    """Neither reads nor changes show it, and the store doesn't hold it in clear."""
    made = hook(desk)
    assert "webhookSecret" not in desk.get(f"/automations/{made['id']}").json
    renamed = desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"name": "b"}).json
    assert renamed["webhookSecret"] is None
    stored = desk.services.jobs.get("default", made["id"]).settings["webhook"]
    assert made["webhookSecret"] not in json.dumps(stored)


def test_rotating_the_secret_ends_the_old_one(desk: Desk) -> None:
    """The new secret is shown once and works; the old one doesn't; the path stays."""
    made = hook(desk, config={"webhook": {"path": "orders"}})
    answer = desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"rotateWebhookSecret": True})
    assert answer.status == 200
    assert answer.json["versionNumber"] == 1
    assert answer.json["webhookPath"] == "orders"
    assert deliver(desk, "orders", made["webhookSecret"]).status == 401
    assert deliver(desk, "orders", answer.json["webhookSecret"]).status == 202


def test_rotating_needs_a_webhook(desk: Desk) -> None:
    """409 for an automation of another trigger type."""
    made = desk.define(step("a"))
    answer = desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"rotateWebhookSecret": True})
    assert answer.status == 409


def test_becoming_a_webhook_shows_a_secret(desk: Desk) -> None:
    """A manual automation that is made a webhook gets its path and secret then; made manual again it is unreachable."""
    made = desk.define(ECHO)
    became = desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"triggerType": "webhook"}).json
    assert deliver(desk, made["id"], became["webhookSecret"]).status == 202
    desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"triggerType": "manual"})
    assert deliver(desk, made["id"], became["webhookSecret"], id_="2").status == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": "v1,AAAA"},
        {"webhook_signature": "v1"},
        {"webhook_signature": "nonsense"},
        {"webhook_signature": "v1,%%%"},
        {"webhook_signature": ""},
        {"webhook_id": "another"},
        {"webhook_id": ""},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "nan"},
        {"webhook_timestamp": ""},
    ],
)
def test_a_delivery_whose_signature_does_not_hold_is_refused(desk: Desk, changed: dict[str, str]) -> None:
    """401 in shape, and no run."""
    made = hook(desk)
    answer = deliver(desk, made["id"], made["webhookSecret"], **changed)
    assert (answer.status, answer.json) == (401, {"detail": "Invalid webhook signature"})
    assert desk.get("/automation-runs").json["total"] == 0


def test_a_changed_body_is_refused(desk: Desk) -> None:
    """The signature is over the exact bytes."""
    made = hook(desk)
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(made["webhookSecret"]).sign("m", at, '{"a":1}'),
    }
    assert desk.post(f"/webhooks/{made['id']}", raw='{"a": 1}', key=None, headers=headers).status == 401
    assert desk.post(f"/webhooks/{made['id']}", raw='{"a":1}', key=None, headers=headers).status == 202


@pytest.mark.parametrize(("age", "status"), [(-290, 202), (290, 202), (310, 401), (-320, 401)])
def test_the_replay_window_is_five_minutes_either_way(desk: Desk, age: float, status: int) -> None:
    """An old or future timestamp is refused, however well signed."""
    made = hook(desk)
    assert deliver(desk, made["id"], made["webhookSecret"], age=age).status == status


def test_an_unknown_path_is_not_found(desk: Desk) -> None:
    """404 in shape."""
    answer = deliver(desk, "nowhere", "whsec_" + "A" * 32)
    assert answer.status == 404
    assert isinstance(answer.json["detail"], str)


def test_a_taken_path_is_a_conflict_and_half_makes_nothing(desk: Desk) -> None:
    """409, and only the first automation exists."""
    hook(desk, config={"webhook": {"path": "orders"}})
    body = {"name": "b", "triggerType": "webhook", "config": {"steps": [ECHO], "webhook": {"path": "orders"}}}
    assert desk.post("/automations", body).status == 409
    assert desk.get("/automations").json["total"] == 1


def test_a_signed_body_that_is_no_json_is_refused(desk: Desk) -> None:
    """422, and no run."""
    made = hook(desk)
    assert deliver(desk, made["id"], made["webhookSecret"], "{no").status == 422
    assert desk.get("/automation-runs").json["total"] == 0


def test_any_json_is_an_input_and_nothing_is_null(desk: Desk) -> None:
    """A list, a number, and an empty body."""
    made = hook(desk)
    for id_, raw, got in (("1", "[1]", [1]), ("2", "7", 7), ("3", "", None)):
        answer = deliver(desk, made["id"], made["webhookSecret"], raw, id_=id_)
        assert answer.status == 202
        desk.drive()
        result = desk.get(f"/automation-runs/{answer.json['runId']}/result").json
        assert result["outputs"]["a"].get("got") == got


def test_a_paused_webhook_is_a_conflict(desk: Desk) -> None:
    """409, and the same delivery works once it is active again."""
    made = hook(desk)
    desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"status": "paused"})
    assert deliver(desk, made["id"], made["webhookSecret"]).status == 409
    desk.send("PATCH", f"/api/v1/automations/{made['id']}", {"status": "active"})
    assert deliver(desk, made["id"], made["webhookSecret"]).status == 202
