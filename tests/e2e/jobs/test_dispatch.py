"""What an endpoint sees of a run, and what becomes of its answers."""

import base64
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.local_cloud.jobs import JobsClient
from tests.local_cloud.work import Answer, Call, Work

SECRET = "whsec_" + base64.b64encode(b"what signs the calls of a test..").decode()
PHASES = {"queue_wait_ms", "dequeue_ms", "dispatch_ms", "connect_ms", "ttfb_ms", "transfer_ms", "total_ms"}


def test_a_call_says_whose_it_is_and_its_signature_verifies(api: JobsClient, target: Work) -> None:
    """Ids, attempt, token, trace, environment; signed by Standard Webhooks, each attempt by an id of its own, and not by another secret."""
    target.reply = lambda call: (503 if call.headers["x-attempt"] == "1" else 200, None)
    delays = {"retry_strategy": "custom", "retry_delays_secs": [0]}
    job = api.job(target.url, webhook_secret=SECRET, environment_id="staging", **delays)
    payload = {"text": "grüße", "n": [1, 2.5, None]}
    run = api.trigger(job, payload=payload)
    api.becomes(run["id"], "completed")
    first, second = target.calls
    for number, call in enumerate(target.calls, 1):
        headers = call.headers
        assert (headers["x-run-id"], headers["x-job-id"], headers["x-attempt"]) == (run["id"], job, str(number))
        assert (headers["content-type"], headers["x-environment-id"]) == ("application/json", "staging")
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])
        assert Webhook(SECRET).verify(call.raw, dict(headers)) == payload
        other = "whsec_" + base64.b64encode(b"another").decode()
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(call.raw, dict(headers))
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert first.headers["traceparent"][:35] == second.headers["traceparent"][:35]
    assert first.headers["traceparent"] != second.headers["traceparent"]
    assert api.say(run["id"], second.headers["x-run-token"], "heartbeat").status_code == 409


def test_a_rotated_secret_signs_beside_the_old_one(api: JobsClient, target: Work) -> None:
    """For a day receivers may verify with either, also what was triggered before; a secret that was removed signs nothing more."""
    job = api.job(target.url, webhook_secret=SECRET)
    new = "whsec_" + base64.b64encode(b"the newer secret of these tests.").decode()
    delayed = api.trigger(job, payload=1, scheduled_at=(datetime.now(UTC) + timedelta(seconds=3)).isoformat())
    assert api.good(api.patch(f"/v1/jobs/{job}", json={"webhook_secret": new}))["version"] == 1
    api.becomes(delayed["id"], "completed")
    (call,) = target.calls
    assert len(call.headers["webhook-signature"].split()) == 2
    for secret in (SECRET, new):
        Webhook(secret).verify(call.raw, dict(call.headers))
    api.good(api.patch(f"/v1/jobs/{job}", json={"webhook_secret": None}))
    again = api.good(api.post(f"/v1/runs/{delayed['id']}/replay"), 201)
    api.becomes(again["id"], "completed")
    assert "webhook-signature" not in target.calls[-1].headers


def test_failures_are_retried_as_they_ask_and_final_ones_are_not(api: JobsClient, target: Work) -> None:
    """429 and 503 with Retry-After rest that long, 500 as the job says; 404, 400 and 422 are the end."""
    back = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    answers: dict[str, list[Answer]] = {
        "/busy": [(429, None, {"retry-after": "2"}), (200, 1)],
        "/down": [(503, None, {"retry-after": format_datetime(back, usegmt=True)}), (200, 2)],
        "/broken": [(500, None), (502, None), (200, 3)],
        **{f"/{status}": [(status, {"why": "no"})] for status in (400, 404, 422)},
    }
    target.reply = lambda call: answers[call.path].pop(0)
    delays = {"retry_strategy": "custom", "retry_delays_secs": [0]}
    jobs = {path: api.job(target.url + path, **delays) for path in answers}
    runs = {path: api.trigger(job)["id"] for path, job in jobs.items()}
    ended = {path: api.becomes(run) for path, run in runs.items()}
    assert {path: (run["status"], run["attempt"]) for path, run in ended.items()} == {
        "/busy": ("completed", 2),
        "/down": ("completed", 2),
        "/broken": ("completed", 3),
        **{f"/{status}": ("failed", 1) for status in (400, 404, 422)},
    }
    times = {path: [call.at for call in target.calls if call.path == path] for path in answers}
    assert times["/busy"][1] - times["/busy"][0] >= 2
    assert times["/down"][1] >= back.timestamp()
    assert ended["/404"]["error"].startswith("HttpStatus: ")
    assert "404" in ended["/404"]["error"]
    attempts = api.run(runs["/broken"], "/attempts")
    assert [one["status"] for one in attempts] == ["failed", "failed", "completed"]


def test_attempts_end_and_the_fallback_is_called_once_in_each(api: JobsClient, target: Work) -> None:
    """Down, or not there at all: the fallback; an answer that is final needs none; when both fail, the attempts are used up."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    status = {"/down": 503, "/final": 404, "/spare": 200, "/spare-down": 500}
    target.reply = lambda call: (status[call.path], {"from": call.path})
    delays = {"max_attempts": 2, "retry_strategy": "custom", "retry_delays_secs": [0]}

    def ended(url: str, spare: str) -> tuple[Any, list[str]]:
        run = api.becomes(api.trigger(api.job(url, fallback_endpoint_url=target.url + spare, **delays))["id"])
        return run, [call.path for call in target.of(run["id"])]

    saved, calls = ended(target.url + "/down", "/spare")
    assert (saved["status"], saved["result"], calls) == ("completed", {"from": "/spare"}, ["/down", "/spare"])
    saved, calls = ended(nowhere, "/spare")
    assert (saved["status"], saved["attempt"], calls) == ("completed", 1, ["/spare"])
    final, calls = ended(target.url + "/final", "/spare")
    assert (final["status"], calls) == ("failed", ["/final"])
    lost, calls = ended(target.url + "/down", "/spare-down")
    assert (lost["status"], lost["attempt"], calls) == ("failed", 2, ["/down", "/spare-down"] * 2)


def test_a_program_that_said_202_reports_by_itself(api: JobsClient, target: Work) -> None:
    """With the trigger's token or the call's own; of racing ends one counts; after it every report is refused."""
    target.reply = lambda _call: (202, None)
    schema = {"type": "object", "required": ["rows"]}
    job = api.job(target.url, result_schema=schema, max_concurrency=1, retry_strategy="custom", retry_delays_secs=[0])
    mine, other = api.trigger(job, payload={"n": 1}), api.trigger(job, payload={"n": 2})
    api.becomes(mine["id"], "waiting")
    (call,) = target.calls
    sent = call.headers["x-run-token"]
    assert sent != mine["run_token"]
    for token in (sent, mine["run_token"]):
        assert api.say(mine["id"], token, "heartbeat").status_code == 204
        assert api.say(other["id"], token, "heartbeat").status_code == 401
    given = api.get(f"/sdk/v1/runs/{mine['id']}/payload", headers={"authorization": f"Bearer {sent}"})
    assert given.json() == {"payload": {"n": 1}}
    assert api.run(other["id"])["status"] == "queued"  # a run that waits for its report keeps its place
    done = api.say(mine["id"], mine["run_token"], "complete", {"result": {"rows": 3}})
    assert done.status_code == 200
    run = api.becomes(mine["id"], "completed")
    assert run["result"] == {"rows": 3}
    assert api.say(mine["id"], sent, "complete", {"result": {"rows": 4}}).status_code == 409

    # The next one fails, is tried again, and the first call's token is no longer its attempt's.
    target.came(2)
    api.becomes(other["id"], "waiting")
    first = target.calls[-1].headers["x-run-token"]
    failure = {"error": {"message": "no disk", "class": "Disk"}}
    assert api.say(other["id"], first, "fail", failure).status_code == 200
    target.came(3)
    api.becomes(other["id"], "waiting")
    assert target.calls[-1].headers["x-attempt"] == "2"
    assert api.say(other["id"], first, "complete", {"result": {"rows": 1}}).status_code == 409
    assert api.say(other["id"], target.calls[-1].headers["x-run-token"], "complete", {"result": 5}).status_code == 200
    broken = api.becomes(other["id"])
    assert (broken["status"], broken["error"].split(":")[0]) == ("failed", "InvalidResult")


def test_of_racing_reports_exactly_one_is_taken(api: JobsClient, target: Work) -> None:
    """Ten ends at once, good and bad, with both tokens."""
    target.reply = lambda _call: (202, None)
    run = api.trigger(api.job(target.url, max_attempts=1))
    api.becomes(run["id"], "waiting")
    tokens = [run["run_token"], target.calls[0].headers["x-run-token"]]
    statuses = api.together(
        [
            lambda n=number: (
                api.say(
                    run["id"], tokens[n % 2], *(("complete", {"result": n}) if n % 3 else ("fail", {"error": "x"}))
                ).status_code
            )
            for number in range(10)
        ]
    )
    assert sorted(statuses) == [200] + [409] * 9
    winner = statuses.index(200)
    ended = api.becomes(run["id"])
    assert (ended["status"], ended.get("result")) == (("completed", winner) if winner % 3 else ("failed", None))


@pytest.mark.parametrize("seconds", [30, 300], ids=["in the burst", "carried"])
def test_a_cancel_reaches_the_open_call_and_the_next_report(api: JobsClient, target: Work, seconds: int) -> None:
    """The endpoint's connection is closed while it is still at work, its next report is refused, and the place is free."""
    job = api.job(target.hold("/held"), timeout_secs=seconds, max_concurrency=1)
    run, after = api.trigger(job), api.trigger(job)
    target.came(1)
    (call,) = target.calls
    token = call.headers["x-run-token"]
    assert api.say(run["id"], token, "progress", {"percent": 10}).status_code == 204
    assert api.good(api.delete(f"/v1/runs/{run['id']}"))["status"] == "canceled"
    for body in ({"result": 1}, None):
        assert api.say(run["id"], token, "complete" if body else "heartbeat", body).status_code == 409
    canceled = time.monotonic()
    assert call.closed.wait(60)
    print(f"cut {time.monotonic() - canceled:.1f} s after the cancel")  # noqa: T201  # shown with -s
    target.came(2)
    target.release("/held")
    assert api.becomes(after["id"])["status"] == "completed"
    assert (api.run(run["id"])["status"], len(target.calls)) == ("canceled", 2)


def test_the_trace_says_where_the_time_went(api: JobsClient, target: Work) -> None:
    """Queue, dispatch and the exchange's phases make the whole; a run that waited for a place shows it."""
    wait = 0.3

    def reply(_call: Call) -> Answer:
        time.sleep(wait)
        return 200, "x" * 1000

    target.reply = reply
    job = api.job(target.url, max_concurrency=1)
    first, second = api.trigger(job), api.trigger(job)
    one, two = (api.becomes(run["id"], "completed") for run in (first, second))
    for run in (one, two):
        trace = run["execution_trace"]
        assert set(trace) == PHASES
        assert all(value >= 0 for value in trace.values())
        assert trace["ttfb_ms"] >= wait * 1000
        parts = trace["dispatch_ms"] + trace["connect_ms"] + trace["ttfb_ms"] + trace["transfer_ms"]
        assert parts <= trace["total_ms"] + 4  # each is rounded
        lasted = (_at(run["finished_at"]) - _at(run["started_at"])) / timedelta(milliseconds=1)
        assert trace["dequeue_ms"] + trace["total_ms"] <= lasted + 2
        queued = (_at(run["started_at"]) - _at(run["created_at"])) / timedelta(milliseconds=1)
        assert abs(trace["queue_wait_ms"] - queued) <= 2
    assert two["execution_trace"]["queue_wait_ms"] >= wait * 1000


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
