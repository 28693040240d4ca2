"""Steps beside each other."""

from tests.local_cloud.client import Client, step
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server


def _call(endpoint: Endpoint, key: str, *needed: str, **fields: object) -> dict[str, object]:
    """A step that calls the path of its own name."""
    return step(key, *needed, kind="http_request", config={"url": f"{endpoint.url}/{key}"}, **fields)


def test_a_slow_branch_does_not_delay_a_fast_one(client: Client, endpoint: Endpoint) -> None:
    """While one branch hangs in its first call, the other goes through all of its steps: there is no wave to wait for."""
    endpoint.hold("/slow")
    run_id = client.start(
        _call(endpoint, "slow"),
        step("after_slow", "slow"),
        _call(endpoint, "fast1"),
        _call(endpoint, "fast2", "fast1"),
        step("fast3", "fast2"),
        _call(endpoint, "fast4", "fast3"),
        step("join", "after_slow", "fast4"),
    )
    client.until(lambda: client.steps(run_id)["fast4"]["status"] == "completed")
    standing = {key: one["status"] for key, one in client.steps(run_id).items()}
    assert (standing["slow"], standing["after_slow"], standing["join"]) == ("running", "pending", "pending")
    endpoint.release("/slow")
    assert client.ended(run_id)["status"] == "completed"
    done = [data["key"] for _, event, data in client.events(run_id)
            if event == "step.status" and data["status"] == "completed"]  # fmt: skip
    assert done == ["fast1", "fast2", "fast3", "fast4", "slow", "after_slow", "join"]
    assert sorted(endpoint.calls) == ["/fast1", "/fast2", "/fast4", "/slow"]


def test_a_fork_of_two_hundred_steps_calls_each_once(client: Client, endpoint: Endpoint) -> None:
    """Three times as many steps as a burst does at once: every one is done once, and the join sees all of them."""
    wide = [f"s{number}" for number in range(200)]
    total = step("join", *wide, config={"values": {"count": "{% $count(steps.*.status) %}"}})
    run_id = client.start(step("root"), *[_call(endpoint, key, "root") for key in wide], total)
    assert client.ended(run_id)["status"] == "completed"
    assert client.steps(run_id)["join"]["result"] == {"count": 200}
    assert sorted(endpoint.calls) == sorted(f"/{key}" for key in wide)


def test_a_failed_branch_does_what_its_policy_says(client: Client, endpoint: Endpoint) -> None:
    """`continue` runs what depends on it, `skip_dependants` skips that and nothing else, and the run completes."""
    endpoint.failing |= {"/tolerated": 9, "/cut": 9}
    run_id = client.start(
        _call(endpoint, "tolerated", onFailure="continue"),
        step("goes_on", "tolerated"),
        _call(endpoint, "cut", onFailure="skip_dependants"),
        step("skipped", "cut"),
        step("beside"),
    )
    assert client.ended(run_id)["status"] == "completed"
    assert {key: one["status"] for key, one in client.steps(run_id).items()} == {
        "tolerated": "failed", "goes_on": "completed", "cut": "failed", "skipped": "skipped", "beside": "completed"
    }  # fmt: skip


def test_a_failed_step_cancels_what_runs_beside_it(client: Client, endpoint: Endpoint) -> None:
    """`fail` ends the run at once: the call under way is not waited for, and its late answer changes nothing."""
    endpoint.hold("/hanging")
    endpoint.failing["/broken"] = 1
    run_id = client.start(_call(endpoint, "hanging"), step("after", "hanging"), _call(endpoint, "broken"))
    run = client.ended(run_id)
    endpoint.release("/hanging")
    assert (run["status"], run["error"]["step"], run["error"]["type"]) == ("failed", "broken", "HttpStatus")
    standing = {key: one["status"] for key, one in client.steps(run_id).items()}
    assert standing == {"hanging": "cancelled", "after": "cancelled", "broken": "failed"}


def test_a_loop_of_a_thousand_iterations_ends(client: Client) -> None:
    """Each iteration sees the one before it; the journal stays readable through its snapshots."""
    turn = step("turn", config={"values": {"sum": "{% (last.turn.sum ? last.turn.sum : 0) + iteration %}"}})
    run_id = client.start(step("again", kind="loop", config={"while": "iteration < 1000", "steps": [turn]}))
    client.until(lambda: client.run(run_id)["status"] != "running", 60)
    assert client.run(run_id)["status"] == "completed"
    assert client.steps(run_id)["again"]["result"] == {"iterations": 1000, "last": {"turn": {"sum": 500_500}}}


def test_a_chain_of_queries_hands_its_datasets_on(client: Client, server: Server) -> None:
    """A query reads rows, the next one the first one's dataset; both are files in the bucket."""
    rows = [{"city": city, "rain": rain} for city, rain in (("A", 3), ("A", 5), ("B", 1))]
    run_id = client.start(
        step("rows", config={"values": {"list": "{% input.rows %}"}}),
        step("load", "rows", kind="duckdb_transform", config={
            "sql": "SELECT city, rain * 10 AS mm FROM t", "inputs": {"t": "{% steps.rows.list %}"}, "format": "parquet",
        }),
        step("sums", "load", kind="duckdb_transform", config={
            "sql": "SELECT city, sum(mm) AS total FROM d GROUP BY city ORDER BY city",
            "inputs": {"d": "{% steps.load.datasetId %}"}, "format": "csv",
        }),
        body={"input": {"rows": rows}},
    )  # fmt: skip
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    steps = client.steps(run_id)
    assert steps["load"]["result"]["rowCount"] == 3
    assert steps["sums"]["result"]["preview"] == [{"city": "A", "total": 80}, {"city": "B", "total": 10}]
    name = f"datasets/default/{steps['sums']['result']['datasetId']}.csv"
    kept = server.aws("s3").get_object(Bucket=server.variable("BLOBS_BUCKET"), Key=name)["Body"].read()
    assert kept.decode().splitlines() == ["city,total", "A,80", "B,10"]


def test_large_results_go_from_step_to_step_outside_the_journal(
    client: Client, endpoint: Endpoint, server: Server
) -> None:
    """100 KB come from an endpoint, through python, into a map: whole everywhere, and the journal stays small."""
    size = 100_000
    code = "def main(input):\n    return {'text': input['steps']['big']['body']['text'].upper()}\n"
    run_id = client.start(
        step("big", kind="http_request", config={"url": f"{endpoint.url}/big?bytes={size}"}),
        step("upper", "big", kind="python", config={"code": code}),
        step("each", "upper", kind="map", config={
            "items": "{% [steps.upper.text, steps.big.body.text] %}",
            "steps": [step("measure", config={"values": {"size": "{% $length(item) %}", "first": "{% $substring(item, 0, 1) %}"}})],
        }),
    )  # fmt: skip
    run = client.ended(run_id)
    assert (run["status"], run["error"]) == ("completed", None)
    steps = client.steps(run_id)
    assert steps["each"]["result"] == [{"size": size, "first": "X"}, {"size": size, "first": "x"}]
    assert steps["upper"]["resultTruncated"] is True
    assert sum(len(str(event)) for event in server.journal(run_id)) < size
