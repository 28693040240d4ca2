"""What a job's fields come to in the engine."""

from typing import Any

import pytest
from jobs_desk import URL, Desk

from quintet.domain.definition import Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.job import Job
from quintet.domain.retry import delay
from quintet.domain.run import VersionPolicy
from quintet.domain.terms import RateLimit, Terms


def made(desk: Desk, **fields: Any) -> tuple[Job, Plan]:
    """A job and its plan as the engine keeps them."""
    job_id = desk.job(**fields)["id"]
    return desk.services.jobs.get("default", job_id), desk.services.jobs.version(job_id, 1).plan


def rests(policy: RetryPolicy, chance: float = 0.5) -> list[float | None]:
    """The rests after each attempt."""
    return [delay(policy, attempt, chance) for attempt in range(1, policy.max_attempts + 1)]


def test_a_job_is_one_call_of_its_endpoint(desk: Desk) -> None:
    """With what the call needs, and nothing of what it doesn't."""
    job, plan = made(desk)
    policy = RetryPolicy(3, Strategy.EXPONENTIAL, 1.0, 3600.0, (), 0.2)
    assert plan == Plan((StepDef("call", "endpoint", config={"url": URL}, retry=policy, timeout=300.0),))
    assert job.terms == Terms(follows=True)
    _, plan = made(
        desk,
        fallback_endpoint_url="https://example.org/b",
        result_schema={"type": "object"},
        environment_id="prod",
        webhook_secret="a secret",
        timeout_secs=7,
    )
    assert plan.steps[0].config == {
        "url": URL,
        "fallback_url": "https://example.org/b",
        "result_schema": {"type": "object"},
        "headers": {"X-Environment-ID": "prod"},
    }
    assert plan.steps[0].timeout == 7.0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_attempts": 1}, [None]),
        ({"max_attempts": 5}, [1, 2, 4, 8, None]),
        ({"max_attempts": 4, "retry_strategy": "linear"}, [1, 2, 3, None]),
        ({"max_attempts": 4, "retry_strategy": "fixed"}, [1, 1, 1, None]),
        ({"max_attempts": 5, "retry_strategy": "custom", "retry_delays_secs": [3, 0.5]}, [3, 0.5, 0.5, 0.5, None]),
    ],
)
def test_retries_rest_as_their_strategy_says(desk: Desk, fields: dict[str, Any], expected: list[float | None]) -> None:
    """Exponential doubles from a second, linear counts seconds, fixed is a second, custom repeats its last."""
    _, plan = made(desk, **fields)
    assert rests(plan.steps[0].retry) == expected


def test_exponential_rests_vary_by_a_fifth_and_are_an_hour_at_most(desk: Desk) -> None:
    """So that what failed together is not tried together."""
    _, plan = made(desk, max_attempts=20)
    policy = plan.steps[0].retry
    assert rests(policy, 0.0)[:2] == [0.8, 1.6]
    assert rests(policy, 1.0)[:2] == [1.2, 2.4]
    assert rests(policy, 1.0)[-2] == 3600.0


def test_limits_windows_and_policies_are_the_jobs_terms(desk: Desk) -> None:
    """Every one of them."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    fields = {
        "max_concurrency": 2,
        "max_concurrency_per_key": 1,
        "rate_limit_max": 10,
        "rate_limit_window_secs": 60,
        "rate_limit_keys": [{"name": "a.b", "max": 1, "window_secs": 5}],
        "dedup_window_secs": 30,
        "batch_window_secs": 6,
        "batch_max_size": 3,
        "execution_window_cron": "* 0-6 * * *",
        "timezone": "Asia/Kathmandu",
        "run_ttl_secs": 99,
        "version_policy": "minor",
        "backwards_compatible": True,
        "skip_if_running": True,
        "payload_schema": {"type": "object"},
        "group_id": group,
        "tags": {"k": "v"},
    }
    job, _ = made(desk, **fields)
    assert job.terms == Terms(
        max_concurrency=2,
        max_concurrency_per_key=1,
        rates=(RateLimit(10, 60), RateLimit(1, 5, "a.b")),
        dedup_window=30,
        batch_window=6,
        batch_size=3,
        window_cron="* 0-6 * * *",
        timezone="Asia/Kathmandu",
        ttl=99,
        policy=VersionPolicy.MINOR,
        compatible=True,
        skip_if_running=True,
        payload_schema={"type": "object"},
        group=group,
        follows=True,
    )
    assert job.labels == {"tag:k", "tag:k=v", f"group:{group}"}
    assert made(desk, name="b", debounce_window_secs=4)[0].terms.debounce_window == 4


def test_a_job_of_tasks_is_their_dag_with_its_environment(desk: Desk) -> None:
    """Bounded by the job's timeout; each endpoint among them is called like a job's own."""
    tasks = [
        {"step_ref": "first", "endpoint": "https://example.org/first", "max_attempts": 1},
        {"step_ref": "rest", "step_type": "sleep", "duration_secs": 5, "depends_on": ["first"]},
    ]
    job_id = desk.job(tasks=tasks, environment_id="prod", webhook_secret="a secret", timeout_secs=90)["id"]
    plan = desk.services.jobs.version(job_id, 1).plan
    assert plan.timeout == 90.0
    first, rest = plan.steps
    assert (first.kind, first.config["url"], first.config["headers"]) == (
        "endpoint", "https://example.org/first", {"X-Environment-ID": "prod"}
    )  # fmt: skip
    assert set(first.config) == {"url", "headers"}
    assert (rest.kind, rest.depends_on, dict(rest.config)) == ("wait", ("first",), {"seconds": 5})


def test_what_a_job_says_reaches_its_endpoint(desk: Desk) -> None:
    """The environment, the signature, and the answer judged by its schema."""
    job_id = desk.job(environment_id="prod", webhook_secret="a secret", result_schema={"required": ["n"]})["id"]
    desk.endpoints.replies[URL] = [(200, {"n": 1})]
    good = desk.trigger(job_id, payload={"a": 1})["id"]
    desk.drive()
    headers = {name.lower(): value for name, value in desk.endpoints.calls[0].headers.items()}
    assert headers["x-environment-id"] == "prod"
    assert headers["webhook-signature"].startswith("v1,")
    assert desk.get(f"/runs/{good}").json["status"] == "completed"
    desk.endpoints.replies[URL] = [(200, {"m": 1})]
    bad = desk.trigger(job_id, payload={"a": 2})["id"]
    desk.drive()
    assert desk.get(f"/runs/{bad}").json["status"] == "failed"
    assert len(desk.endpoints.calls) == 2
