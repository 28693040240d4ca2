"""When runs of jobs begin: to the second, together, in their window, by the minute, behind others, and not at all when it is too late."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.local_cloud.jobs import JobsClient, holders
from tests.local_cloud.server import Server
from tests.local_cloud.work import Work


def test_delayed_runs_begin_at_their_second_and_not_before(api: JobsClient, target: Work) -> None:
    """Ten of them between 2 and 3 s ahead, one moved from the far future to the near one, one moved away."""
    job = api.job(target.url)
    begun = _millis(datetime.now(UTC))
    times = [begun + timedelta(seconds=2 + n / 10) for n in range(10)]
    runs = {api.trigger(job, scheduled_at=_text(at), payload=n)["id"]: at for n, at in enumerate(times)}
    far = api.trigger(job, scheduled_at=_text(begun + timedelta(days=2)), payload="nearer")["id"]
    near = api.trigger(job, scheduled_at=_text(times[0]), payload="farther")["id"]
    for run_id, at in ((far, times[4]), (near, begun + timedelta(days=2))):
        moved = api.good(api.post(f"/v1/runs/{run_id}/reschedule", json={"scheduled_at": _text(at)}))
        assert (moved["status"], _at(moved["scheduled_at"])) == ("delayed", _millis(at))
    runs[far] = times[4]
    ended = {run_id: api.becomes(run_id, "completed") for run_id in runs}
    for run_id, at in runs.items():
        assert _at(ended[run_id]["started_at"]) >= _millis(at)
        assert target.of(run_id)[0].at >= _millis(at).timestamp()
    late = sorted((_at(ended[run_id]["started_at"]) - at).total_seconds() for run_id, at in runs.items())
    print(f"started {late[len(late) // 2]:.3f} s late (median), {late[-1]:.3f} s at most")  # noqa: T201  # shown with -s
    assert (api.run(near)["status"], len(target.calls)) == ("delayed", 11)
    api.good(api.delete(f"/v1/runs/{near}"))


def test_debounced_triggers_are_one_run_with_the_last_payload(api: JobsClient, target: Work) -> None:
    """Five triggers, each within the window of the one before; another key is another run."""
    job = api.job(target.url, debounce_window_secs=2)
    answers = [api.good(api.ask(job, payload=n), 202) for n in range(5)]
    other = api.good(api.ask(job, payload="other", debounce_key="other"), 202)
    assert [answer["debounced"] for answer in answers] == [True] * 5
    assert len({answer["id"] for answer in answers} | {other["id"]}) == 2
    fires = [_at(answer["fire_at"]) for answer in answers]
    assert fires == sorted(fires)
    ended = api.all_end(job, 2)
    assert {run["triggered_by"] for run in ended} == {"debounce"}
    assert [call.body for call in target.of(answers[0]["id"])] == [4]
    assert target.of(answers[0]["id"])[0].at >= fires[-1].timestamp() - 0.001
    assert len(target.calls) == 2
    again = api.good(api.ask(job, payload="again"), 202)
    assert again["id"] != answers[0]["id"]
    assert api.becomes(again["id"], "completed")["payload"] == "again"


def test_a_batch_starts_when_it_is_full_or_its_window_is_over(api: JobsClient, target: Work) -> None:
    """Seven at once by threes: two full ones start at once, the seventh waits for the window; each payload is in one of them."""
    job = api.job(target.url, batch_window_secs=3, batch_max_size=3)
    answers = [api.good(one, 202) for one in api.at_once(job, [{"payload": n} for n in range(7)])]
    assert all(answer["batched"] for answer in answers)
    runs = api.all_end(job, 3)
    sizes = {run["id"]: len(api.run(run["id"])["payload"]["items"]) for run in runs}
    assert sorted(sizes.values()) == [1, 3, 3]
    assert sorted(item for call in target.calls for item in call.body["items"]) == list(range(7))
    for run in runs:
        waited = _at(run["started_at"]) - _at(run["created_at"])
        assert (waited >= timedelta(seconds=3)) is (sizes[run["id"]] == 1)
    assert {run["triggered_by"] for run in runs} == {"batch"}


def test_runs_that_come_too_late_expire(api: JobsClient, server: Server, target: Work) -> None:
    """Queued or delayed beyond their time, by the job's or the trigger's ttl: the sweep ends them, and nobody is called for them."""
    job = api.job(target.hold("/held"), max_concurrency=1, run_ttl_secs=3600)
    holder = api.trigger(job)
    target.came(1)
    queued = api.trigger(job, ttl_secs=1)
    patient = api.trigger(job)
    delayed = api.trigger(job, ttl_secs=1, scheduled_at=_text(datetime.now(UTC) + timedelta(hours=1)))
    short = api.trigger(api.job(target.url, run_ttl_secs=1), scheduled_at=_text(datetime.now(UTC) + timedelta(hours=1)))
    late = [queued["id"], delayed["id"], short["id"]]
    expiry = max(_at(api.run(run_id)["expires_at"]) for run_id in late)
    assert expiry <= datetime.now(UTC) + timedelta(seconds=1.5)
    time.sleep(max((expiry - datetime.now(UTC)).total_seconds(), 0))
    server.call("sweep")
    for run_id in late:
        run = api.becomes(run_id, "expired")
        assert "started_at" not in run
        assert api.post(f"/v1/runs/{run_id}/reschedule", json={"scheduled_at": _text(expiry)}).status_code == 409
    assert api.run(patient["id"])["status"] == "queued"
    target.release("/held")
    assert {api.becomes(run["id"])["status"] for run in (holder, patient)} == {"completed"}
    assert {call.run_id for call in target.calls} == {holder["id"], patient["id"]}
    assert holders(server, job) == []


def test_a_place_that_frees_too_late_is_not_given_to_an_expired_run(api: JobsClient, target: Work) -> None:
    """Without a sweep: whoever lets the next in sees that its time is over, and takes the one behind it."""
    job = api.job(target.hold("/held"), max_concurrency=1)
    holder = api.trigger(job)
    target.came(1)
    late, next_one = api.trigger(job, ttl_secs=1, priority=9), api.trigger(job)
    time.sleep(max((_at(late["expires_at"]) - datetime.now(UTC)).total_seconds(), 0))
    target.release("/held")
    assert {api.becomes(run["id"])["status"] for run in (holder, next_one)} == {"completed"}
    assert (api.run(late["id"])["status"], target.of(late["id"])) == ("expired", [])


def test_outside_their_window_runs_wait_for_it(api: JobsClient, target: Work) -> None:
    """In a window that is open a run begins at once; before one it is delayed to the first minute that matches, in the job's zone."""
    now = datetime.now(UTC)
    hour = (now + timedelta(hours=2)).hour
    kathmandu = (now + timedelta(hours=2) + timedelta(hours=5, minutes=45)).hour
    api.becomes(api.trigger(api.job(target.url, execution_window_cron="* * * * *"))["id"], "completed")
    for cron, zone, shift in ((f"* {hour} * * *", "UTC", 0), (f"* {kathmandu} * * *", "Asia/Kathmandu", 345)):
        run = api.trigger(api.job(target.url, execution_window_cron=cron, timezone=zone))
        opens = _at(run["scheduled_at"])
        local = opens + timedelta(minutes=shift)
        assert run["status"] == "delayed"
        assert (local.minute, local.second, local.hour) == (0, 0, int(cron.split()[1]))
        assert timedelta() < opens - now < timedelta(hours=3)
        api.good(api.delete(f"/v1/runs/{run['id']}"))
    assert len(target.calls) == 1


def test_what_is_due_by_the_minute_begins_then(api: JobsClient, server: Server, by_the_minute: Any) -> None:
    """A cron job fires each minute once however often it ticks; a run outside its window begins with the window's minute."""
    cron, windowed, made, work = by_the_minute
    for _ in range(3):
        server.call("tick")
    api.until(lambda: bool(api.statuses(cron)["completed"] and api.run(windowed)["status"] == "completed"), 75)
    api.good(api.patch(f"/v1/jobs/{cron}", json={"enabled": False}))
    runs = api.runs(cron)[::-1]
    assert {run["triggered_by"] for run in runs} == {"cron"}
    minutes = [_at(run["scheduled_at"]) for run in runs]
    assert all((at.second, at.microsecond) == (0, 0) for at in minutes)
    assert len(set(minutes)) == len(minutes)
    assert timedelta() < minutes[0] - made <= timedelta(minutes=1)
    begun = [run for run in runs if "started_at" in run]
    assert all(_at(run["started_at"]) >= _at(run["scheduled_at"]) for run in begun)
    run = api.run(windowed)
    assert _at(run["started_at"]) >= _at(run["scheduled_at"]) > made
    assert len(work.of(windowed)) == 1


def test_jobs_follow_jobs(api: JobsClient, target: Work) -> None:
    """A chain hands results on; a job behind two waits for both, and says so; what asked for a failure follows a failure only."""
    target.reply = lambda call: (500 if call.body == "fail" else 200, {"from": call.path})
    first, second, third, both, after = (
        api.job(f"{target.url}/{name}", max_attempts=1) for name in ("first", "second", "third", "both", "after")
    )
    edges = [(second, first, "completed"), (third, second, "any"), (both, first, "completed"), (both, third, "any")]
    for job, on, condition in [*edges, (after, first, "failed")]:
        body = {"depends_on_job_id": on, "condition": condition}
        api.good(api.post(f"/v1/jobs/{job}/dependencies", json=body), 201)
    waits = api.trigger(both, payload="by hand")
    assert api.run(waits["id"])["status"] == "waiting"
    run = api.trigger(first, payload="go")["id"]
    api.until(lambda: api.statuses(both)["completed"] == 2)
    (by_second,) = [call for call in target.calls if call.path == "/second"]
    upstream = {"job_id": first, "run_id": run, "status": "completed", "result": {"from": "/first"}}
    assert by_second.body == {"upstream": upstream}
    assert api.run(by_second.run_id)["triggered_by"] == "job_completion"
    assert api.run(waits["id"])["payload"] == "by hand"
    (joined,) = [call.body for call in target.calls if call.path == "/both" and call.body != "by hand"]
    assert joined["upstream"]["result"] == {"from": "/third"}
    assert {one["job_id"] for one in joined["upstreams"]} == {first, third}
    assert api.runs(after) == []

    api.becomes(api.trigger(first, payload="fail")["id"], "failed")
    api.until(lambda: api.statuses(after)["completed"] == 1)
    assert len(api.runs(second)) == 1


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ("/old", 1)),
        ({"version_policy": "latest"}, ("/new", 2)),
        ({"version_policy": "minor", "backwards_compatible": True}, ("/new", 2)),
        ({"version_policy": "minor", "backwards_compatible": False}, ("/old", 1)),
    ],
    ids=["pin", "latest", "minor, compatible", "minor, not compatible"],
)
def test_queued_runs_follow_the_version_policy(
    api: JobsClient, target: Work, fields: dict[str, Any], wanted: tuple[str, int]
) -> None:
    """What was triggered before a change starts as the policy says; what was under way stays as it was."""
    job = api.job(target.hold("/old"), max_concurrency=1, **fields)
    under_way, queued = api.trigger(job), api.trigger(job)
    target.came(1)
    assert api.good(api.patch(f"/v1/jobs/{job}", json={"endpoint_url": f"{target.url}/new"}))["version"] == 2
    target.release("/old")
    first, second = api.becomes(under_way["id"], "completed"), api.becomes(queued["id"], "completed")
    assert [(call.path, run["job_version"]) for run in (first, second) for call in target.of(run["id"])] == [
        ("/old", 1),
        wanted,
    ]


def _text(at: datetime) -> str:
    return at.isoformat()


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _millis(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
