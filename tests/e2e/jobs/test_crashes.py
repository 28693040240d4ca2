"""kill -9 of the whole server while runs hold their places: nothing leaks, and all come to their end."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx
import pytest
from tests.local_cloud.jobs import JobsClient, holders, key_holders
from tests.local_cloud.server import Server
from tests.local_cloud.work import Answer, Call, Work


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(tmp_path_factory.mktemp("mortal") / "home").start()
    try:
        yield server
    finally:
        server.stop()


def test_after_kill_9_no_place_is_lost_and_every_run_ends(mortal: Server, target: Work) -> None:
    """Carried calls, calls in the burst, reports that are awaited, queued and delayed runs: limits hold before and after."""
    target.apart = _limit_of
    target.reply = _reply
    retried = {"max_attempts": 5, "retry_strategy": "custom", "retry_delays_secs": [0]}
    with JobsClient(mortal.url) as api:
        carried = api.job(target.hold("/carried"), max_concurrency=3, **retried)
        inline = api.job(target.hold("/inline"), max_concurrency_per_key=1, timeout_secs=30, **retried)
        reported = api.job(f"{target.url}/reported", max_concurrency=1, **retried)
        fragile = api.job(target.hold("/fragile"), max_concurrency=1, max_attempts=1)
        ids = [api.trigger(carried)["id"] for _ in range(12)]
        ids += [api.trigger(inline, concurrency_key=f"crash {n % 2}", payload=n % 2)["id"] for n in range(8)]
        waits, behind = api.trigger(reported), api.trigger(reported)
        lost, saved = api.trigger(fragile), api.trigger(fragile)
        target.wait(lambda: len(target.calls) == 3 + 2 + 1 + 1)
        api.becomes(waits["id"], "waiting")
        before = {job: set(holders(mortal, job)) for job in (carried, reported, fragile)}
        with asking(mortal, carried) as acknowledged:
            api.until(lambda: len(acknowledged) >= 10)
            mortal.kill()
    assert {job: len(held) for job, held in before.items()} == {carried: 3, reported: 1, fragile: 1}
    target.wait(lambda: all(call.closed.is_set() for call in target.calls if call.path != "/reported"))
    for path in ("/carried", "/inline", "/fragile"):
        target.release(path)
    mortal.start()
    with JobsClient(mortal.url) as api:
        for key, run_id in acknowledged.items():
            kept = api.trigger(carried, idempotency_key=key)
            assert (kept["id"], kept["idempotency_hit"]) == (run_id, True)
        ids += acknowledged.values()
        for run_id in ids:
            assert api.becomes(run_id)["status"] == "completed"
        # A job without a second attempt has lost its run, but not its place.
        assert [api.becomes(run["id"])["status"] for run in (lost, saved)] == ["crashed", "completed"]
        # Who reports by itself doesn't notice: its token is good after the restart, and the next in line is called.
        assert api.run(waits["id"])["status"] == "waiting"
        assert api.run(behind["id"])["status"] == "queued"
        assert api.say(waits["id"], waits["run_token"], "complete", {"result": 1}).status_code == 200
        api.becomes(behind["id"], "waiting")
        assert api.say(behind["id"], behind["run_token"], "complete", {"result": 2}).status_code == 200
        assert [api.becomes(run["id"])["result"] for run in (waits, behind)] == [1, 2]

        assert [holders(mortal, job) for job in (carried, inline, reported, fragile)] == [[]] * 4
        assert [key_holders(mortal, f"crash {n}") for n in range(2)] == [[]] * 2
        limits = {"/carried": 3, "/inline 0": 1, "/inline 1": 1, "/reported": 1, "/fragile": 1}
        assert target.most == limits
        # Who was not cut off was called once; each of those who were, once more.
        times = Counter(call.run_id for call in target.calls)
        cut = {call.run_id for call in target.calls if call.closed.is_set()}
        assert {run_id: times[run_id] for run_id in ids} == {run_id: 1 + (run_id in cut) for run_id in ids}


@contextmanager
def asking(server: Server, job: str) -> Iterator[dict[str, str]]:
    """Triggers set out all the while by three clients, until one is not answered; the ids of those that were, by idempotency key."""
    acknowledged: dict[str, str] = {}
    numbers = count()

    def ask() -> None:
        with JobsClient(server.url) as api:
            while True:
                key = f"asked {next(numbers)}"
                try:
                    answer = api.ask(job, idempotency_key=key)
                except httpx.HTTPError:
                    return
                if answer.status_code != 201:
                    return
                acknowledged[key] = answer.json()["id"]

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield acknowledged
    for thread in threads:
        thread.join()


def _reply(call: Call) -> Answer:
    return (202, None) if call.path == "/reported" else (200, None)


def _limit_of(call: Call) -> str:
    return f"{call.path} {call.body}" if call.path == "/inline" else call.path
