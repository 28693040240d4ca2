"""Triggers under a race and by the hundred: one run to a key, each answer in its place, created in batches."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.local_cloud.jobs import JobsClient
from tests.local_cloud.server import Server
from tests.local_cloud.work import Work

BULK = 500
BAD = {
    3: ({"payload": {"n": "three"}}, "validation_failed"),  # against the payload_schema
    250: ({"payload": {"n": 250}, "scheduled_at": "2999-01-01T00:00:00Z"}, "validation_failed"),
    499: ({"payload": {"n": -1}, "idempotency_key": "twice"}, "conflict"),
}
GOOD = BULK - len(BAD)


def test_fifty_racing_triggers_of_one_key_are_one_run_and_one_call(api: JobsClient, target: Work) -> None:
    """49 of 50 that set out together are hits; the same key with another payload is refused, as long as the run is kept."""
    job = api.job(target.url)
    answers = api.at_once(job, [{"payload": {"n": 1}}] * 50, **{"Idempotency-Key": "once"})
    found = [api.good(answer, 201) for answer in answers]
    assert len({one["id"] for one in found}) == 1
    assert Counter(one["idempotency_hit"] for one in found) == {True: 49, False: 1}
    api.becomes(found[0]["id"], "completed")
    other = [{"payload": {"n": 2}, "idempotency_key": "once"}] * 10
    assert {answer.status_code for answer in api.at_once(job, other)} == {409}
    late = api.good(api.ask(job, {"X-Idempotency-Key": "once"}, payload={"n": 1}), 201)
    assert (late["id"], late["idempotency_hit"], late["status"]) == (found[0]["id"], True, "completed")
    assert [run["id"] for run in api.runs(job)] == [found[0]["id"]]
    assert [call.body for call in target.calls] == [{"n": 1}]
    elsewhere = api.trigger(api.job(target.url), payload={"n": 1}, idempotency_key="once")
    assert elsewhere["idempotency_hit"] is False


def test_racing_keys_and_payloads_have_one_winner_each(api: JobsClient, target: Work) -> None:
    """Two payloads race for one key: one run, hits for its payload, 409 for the other one; dedup does the same by payload alone."""
    job = api.job(target.url)
    bodies = [{"payload": number % 2, "idempotency_key": "contested"} for number in range(40)]
    answers = api.at_once(job, bodies)
    (run,) = api.runs(job)
    winner = next(body["payload"] for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 201)
    wanted = [201 if body["payload"] == winner else 409 for body in bodies]
    assert [answer.status_code for answer in answers] == wanted
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {run["id"]}

    alike = api.job(target.url, dedup_window_secs=3600)
    found = [api.good(one, 201) for one in api.at_once(alike, [{"payload": {"n": n % 4}} for n in range(40)])]
    assert [one["id"] for one in found] == [found[n % 4]["id"] for n in range(40)]
    assert Counter(one["idempotency_hit"] for one in found) == {False: 4, True: 36}
    assert len(api.runs(alike)) == 4


def test_five_hundred_in_one_request_are_answered_in_place_and_created_in_batches(
    api: JobsClient, server: Server, target: Work, tmp_path: Path
) -> None:
    """Bad items say why where they stand; all others run; the tables are asked some ten times, not a thousand."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    job = api.job(target.url, payload_schema=schema, timeout_secs=30)
    api.becomes(api.trigger(job, payload={"n": -2}, idempotency_key="twice")["id"], "completed")
    items: list[Any] = [BAD[n][0] if n in BAD else {"payload": {"n": n}} for n in range(BULK)]
    with metered(server, tmp_path / "meter.jsonl") as requests:
        api.good(api.get(f"/v1/jobs/{job}"))  # the worker is up, and knows the key
        before = len(requests())
        began = time.monotonic()
        answer = api.bulk(job, items, **{"Idempotency-Key": "request"})
        took = time.monotonic() - began
        asked = Counter(f"{one['service']} {one['operation']}" for one in requests()[before:])
    print(f"bulk of {BULK}: {took:.2f} s, {dict(asked)}")  # noqa: T201  # shown with -s: how long is no assertion
    tables = {name: count for name, count in asked.items() if name.startswith("dynamodb")}
    assert sum(tables.values()) < BULK / 5, tables

    assert (answer["total"], answer["created"]) == (BULK, GOOD)
    results = answer["results"]
    assert {place for place, one in enumerate(results) if "error" in one} == set(BAD)
    assert {place: results[place]["error"]["code"] for place in BAD} == {
        place: code for place, (_, code) in BAD.items()
    }
    ids = [one["id"] for one in results if "error" not in one]
    assert len(set(ids)) == GOOD
    assert all(one["run_token"] and one["idempotency_hit"] is False for one in results if "error" not in one)

    again = api.bulk(job, items, **{"Idempotency-Key": "request"})
    assert (again["batch_id"], again["created"]) == (answer["batch_id"], 0)
    assert [one.get("id") for one in again["results"]] == [one.get("id") for one in results]

    ended = api.all_end(job, GOOD + 1)
    assert {run["status"] for run in ended} == {"completed"}
    calls = Counter(call.body["n"] for call in target.calls)
    assert calls == Counter([-2, *(n for n in range(BULK) if n not in BAD)])
    places = {run_id: place for place, one in enumerate(results) if (run_id := one.get("id"))}
    assert {call.run_id: call.body["n"] for call in target.calls if call.body["n"] >= 0} == places
    listed = api.runs(job, batch_id=answer["batch_id"])
    assert {run["id"] for run in listed} == set(ids)


@contextmanager
def metered(server: Server, file: Path) -> Iterator[Any]:
    """Has the Jobs API's function note its AWS requests meanwhile; a function that reads what was noted."""
    functions = server.aws("lambda")
    name = next(one for one in server.variables_by_function if one.endswith("-jobs-api"))
    own = dict(server.variables_by_function[name])

    def set_to(variables: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    set_to({**own, "QUINTET_METER": str(file)})
    try:
        yield lambda: [json.loads(line)["quintet_meter"] for line in file.read_text().splitlines()]
    finally:
        set_to(own)
