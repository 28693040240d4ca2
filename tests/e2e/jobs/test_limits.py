"""Limits under two hundred simultaneous triggers: exact while they hold, and nothing held when all is over."""

import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
from tests.local_cloud.jobs import SECONDS, JobsClient, holders, key_holders
from tests.local_cloud.server import Server
from tests.local_cloud.work import Work

RACE = 200
HOUR = 3600


def test_at_most_five_of_two_hundred_run_at_once(api: JobsClient, server: Server, target: Work) -> None:
    """Five are called and held while all two hundred are triggered and the sweep looks around; a hundred that wait are canceled, the rest
    follows by itself."""
    job = api.job(target.hold("/slow"), max_concurrency=5, timeout_secs=60)
    answers = api.at_once(job, [{"payload": n} for n in range(RACE)])
    assert {answer.status_code for answer in answers} == {201}
    target.came(5)
    server.call("sweep")
    assert Counter(run["status"] for run in api.runs(job)) == {"executing": 5, "queued": RACE - 5}
    assert sorted(holders(server, job)) == sorted(call.run_id for call in target.calls)
    unwanted = [run["id"] for run in api.runs(job) if run["status"] == "queued"][:100]
    api.good(api.post("/v1/runs/bulk-cancel", json={"run_ids": unwanted}))
    target.release("/slow")
    ended = api.all_end(job, RACE)
    assert Counter((run["status"], run["attempt"]) for run in ended) == {("completed", 1): 100, ("canceled", 0): 100}
    assert target.most["/slow"] == 5
    assert Counter(call.run_id for call in target.calls) == Counter({run["id"] for run in ended} - {*unwanted})

    # Nothing is held, and five begin again at once.
    assert holders(server, job) == []
    target.hold("/slow")
    api.at_once(job, [{}] * 6)
    target.came(100 + 5)
    assert api.statuses(job) == {"completed": 100, "canceled": 100, "executing": 5, "queued": 1}
    target.release("/slow")
    api.all_end(job, RACE + 6)
    assert target.most["/slow"] == 5


def test_a_slow_key_delays_no_other(api: JobsClient, server: Server, target: Work) -> None:
    """Two at once of each key; while the runs of one are held, all of the others, and those without a key, come to their end."""
    target.apart = lambda call: str(call.body["key"])
    gate = "/slow"
    target.hold(gate)
    limit = {"max_concurrency_per_key": 2}
    slow = api.job(f"{target.url}{gate}", **limit)  # carried: calls of minutes hold up no burst
    quick = api.job(f"{target.url}/quick", timeout_secs=30, **limit)
    keys = [None, "a", "b", "c"]
    bodies: list[dict[str, Any]] = [{"concurrency_key": "slow", "payload": {"key": "slow"}}] * 20
    assert {one.status_code for one in api.at_once(slow, bodies)} == {201}
    bodies = [
        {"payload": {"key": key}, **({"concurrency_key": key} if key else {})}
        for key in (keys[n % len(keys)] for n in range(RACE - 20))
    ]
    assert {one.status_code for one in api.at_once(quick, bodies)} == {201}
    one_more = api.trigger(quick, payload={"key": "slow"}, concurrency_key="slow")  # the key's places are the project's
    api.until(lambda: api.statuses(quick)["completed"] == RACE - 20, every=0.2)
    assert api.statuses(slow) == {"executing": 2, "queued": 18}
    assert api.run(one_more["id"])["status"] == "queued"
    target.release(gate)
    assert {run["status"] for run in [*api.all_end(slow, 20), *api.all_end(quick, RACE - 19)]} == {"completed"}
    assert {key: target.most[key] for key in ("slow", "a", "b", "c") if target.most[key] > 2} == {}
    assert target.most["slow"] == 2
    assert [key_holders(server, key) for key in ("slow", "a", "b", "c")] == [[]] * 4


def test_both_limits_hold_together(api: JobsClient, server: Server, target: Work) -> None:
    """Three of the job, one of each key; a key that waits leaves the job's places to the others."""
    target.apart = lambda call: str(call.headers["x-job-id"])
    at_once = Counter[str]()

    def reply(call: Any) -> Any:
        with target.changed:
            at_once[call.body] += 1
            assert at_once[call.body] == 1, at_once
            target.changed.wait(0.01)
            at_once[call.body] -= 1
        return 200, call.body

    target.reply = reply
    job = api.job(target.url, max_concurrency=3, max_concurrency_per_key=1, timeout_secs=30, max_attempts=1)
    keys = ["x"] * 10 + ["y", "z", "w"] * 5
    answer = api.bulk(job, [{"payload": key, "concurrency_key": f"both {key}"} for key in keys])
    assert answer["created"] == len(keys)
    ended = api.all_end(job, len(keys))
    assert {run["status"] for run in ended} == {"completed"}
    assert target.most[job] <= 3
    assert [holders(server, job), *(key_holders(server, f"both {key}") for key in "xyzw")] == [[]] * 5


def test_a_freed_place_goes_to_the_highest_priority_then_the_oldest(api: JobsClient, target: Work) -> None:
    """One after the other, each begun when the one before has ended, though nothing but ends lets anybody in."""
    job = api.job(target.hold("/one"), max_concurrency=1)
    api.trigger(job, payload="first")
    target.came(1)
    order = [("a", 0), ("b", 5), ("c", 10), ("d", 5), ("e", 0), ("f", 10)]
    for payload, priority in order:
        api.trigger(job, payload=payload, priority=priority)
    target.release("/one")
    ended = api.all_end(job, 7)
    assert [call.body for call in target.calls] == ["first", "c", "f", "b", "d", "a", "e"]
    assert target.most["/one"] == 1
    times = sorted((_at(run["started_at"]), _at(run["finished_at"])) for run in ended)
    freed = [(later[0] - sooner[1]).total_seconds() for sooner, later in pairwise(times)]
    # A sweep a minute would take six minutes for these six: their predecessors' ends let them in.
    assert sum(freed) < SECONDS
    print(f"a freed place was taken after {sorted(freed)} s")  # noqa: T201  # shown with -s: how long is no assertion


def test_exactly_as_many_as_the_rate_allows_are_accepted(api: JobsClient, target: Work) -> None:
    """Twenty of two hundred; the others are told when to come again, in one request too."""
    job = api.job(target.url, rate_limit_max=20, rate_limit_window_secs=HOUR)
    answers = api.at_once(job, [{"payload": n} for n in range(RACE)])
    assert Counter(answer.status_code for answer in answers) == {201: 20, 429: RACE - 20}
    opened = min(_at(run["created_at"]) for run in api.runs(job))
    resets = {int(answer.headers["x-ratelimit-reset"]) for answer in answers}
    assert all(opened.timestamp() < reset <= opened.timestamp() + HOUR + 2 for reset in resets)
    for answer in answers:
        assert answer.headers["x-ratelimit-limit"] == "20"
        assert 0 <= int(answer.headers["x-ratelimit-remaining"]) <= (19 if answer.status_code == 201 else 0)
        assert ("retry-after" in answer.headers) is (answer.status_code == 429)
        if answer.status_code == 429:
            assert 0 < int(answer.headers["retry-after"]) <= HOUR
            assert answer.json()["error"]["code"] == "rate_limited"
    bulk = api.bulk(job, [{"payload": n} for n in range(30)])
    assert {one["error"]["code"] for one in bulk["results"]} == {"rate_limited"}
    assert len(api.all_end(job, 20)) == len(target.calls) == 20
    twenty = api.job(target.url, rate_limit_max=20, rate_limit_window_secs=HOUR)
    part = api.bulk(twenty, [{"payload": n} for n in range(30)])
    assert ["error" in one for one in part["results"]] == [False] * 20 + [True] * 10


def test_a_window_that_is_over_lets_as_many_in_again(api: JobsClient, target: Work) -> None:
    """Within any one window no more than allowed; after Retry-After the next are accepted."""
    job = api.job(target.url, rate_limit_max=3, rate_limit_window_secs=2)
    answers = api.at_once(job, [{}] * 10)
    accepted = sum(answer.status_code == 201 for answer in answers)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert accepted in (3, 6)  # ten triggers may take longer than a window on a busy machine
    time.sleep(int(refused.headers["retry-after"]))
    assert api.ask(job).status_code == 201
    made = sorted(_at(run["created_at"]) for run in api.runs(job))
    assert all((fourth - first).total_seconds() >= 2 for first, fourth in zip(made, made[3:], strict=False))


def test_named_rates_are_counted_for_each_value(api: JobsClient, target: Work) -> None:
    """Five of each customer, found in the payload or in the tags; runs without a customer are not limited by it."""
    keys = [{"name": "customer.id", "max": 5, "window_secs": HOUR}, {"name": "region", "max": 12, "window_secs": HOUR}]
    job = api.job(target.url, rate_limit_keys=keys)
    customers = [None, "a", "b", "c", 7]
    bodies: list[dict[str, Any]] = [
        {"payload": {"customer": {"id": customers[n % 5]}} if customers[n % 5] else {"n": n}} for n in range(RACE)
    ]
    answers = api.at_once(job, bodies)
    accepted: Counter[Any] = Counter()
    for body, answer in zip(bodies, answers, strict=True):
        accepted[body["payload"].get("customer", {}).get("id")] += _accepted(answer)
    assert accepted == {None: RACE // 5, "a": 5, "b": 5, "c": 5, 7: 5}
    tagged = api.at_once(job, [{"payload": {}, "tags": {"region": "eu" if n % 2 else "us"}} for n in range(40)])
    assert Counter(n % 2 for n, answer in enumerate(tagged) if _accepted(answer)) == {0: 12, 1: 12}
    assert len(api.all_end(job, RACE // 5 + 20 + 24)) == len(target.calls)


def _accepted(answer: httpx.Response) -> bool:
    assert answer.status_code in (201, 429), answer.text
    return answer.status_code == 201


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
