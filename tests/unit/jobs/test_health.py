"""Health figures and statistics."""

from typing import Any

import pytest
from jobs_desk import URL, Desk

from quintet.domain.health import NO_RUNS, health
from quintet.domain.status import RunStatus

DONE, FAILED = RunStatus.COMPLETED, RunStatus.FAILED


def test_no_runs_have_no_score() -> None:
    """-1, and figures of nothing."""
    found = health([])
    assert (found.total, found.score, found.success_rate, found.average, found.p95) == (0, NO_RUNS, 0, 0, 0)


@pytest.mark.parametrize(
    ("runs", "success", "score"),
    [
        ([(DONE, 1.0)], 100.0, 100.0),
        ([(DONE, 1.0), (FAILED, 1.0)], 50.0, 65.0),
        ([(FAILED, 1.0)], 0.0, 30.0),
        ([(RunStatus.EXPIRED, None)], 0.0, 0.0),
        ([(DONE, 1.0), (RunStatus.CANCELED, None)], 50.0, 65.0),
        ([(DONE, 0.0)], 100.0, 100.0),
        ([(DONE, 1.0)] * 19 + [(DONE, 10.0)], 100.0, 100.0),
        # p95 is 10, the average 1.9, so that 2 x 1.9 / 10 of the 30 points are left
        ([(DONE, 1.0)] * 18 + [(DONE, 10.0)] * 2, 100.0, 70 + 30 * 2 * 1.9 / 10),
    ],
)
def test_success_counts_70_points_and_steady_durations_30(
    runs: list[tuple[RunStatus, float | None]], success: float, score: float
) -> None:
    """Steady: 95 % take at most twice the average; beyond, the points shrink with the distance."""
    found = health(runs)
    assert (found.success_rate, found.score) == (success, pytest.approx(score, abs=0.05))
    assert found.total == len(runs)


def test_percentiles_are_of_the_runs_that_started() -> None:
    """By nearest rank, whatever the order they come in; a canceled run's length counts for nothing."""
    others = [(RunStatus.EXPIRED, None)] * 100 + [(RunStatus.CANCELED, 1e6)]
    found = health([(DONE, float(n)) for n in range(100, 0, -1)] + others)
    assert (found.average, found.p95, found.p99) == (50.5, 95.0, 99.0)
    one = health([(DONE, 4.0)])
    assert (one.average, one.p95, one.p99) == (4.0, 4.0, 4.0)


def figures(desk: Desk, job_id: str, **query: str) -> dict[str, Any]:
    """A job's health."""
    answer = desk.get(f"/jobs/{job_id}/health", query=query)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_jobs_health_is_that_of_the_runs_that_ended_in_the_window(desk: Desk) -> None:
    """Each way to end has its count; runs of before the window and of other jobs have none."""
    job_id, other = desk.job("a", max_attempts=1)["id"], desk.job("b")["id"]
    desk.endpoints.seconds = 2.0
    for replies in ([(200, {})], [(200, {})], [(400, {})]):
        desk.endpoints.replies[URL] = replies
        desk.trigger(job_id)
        desk.drive()
    desk.trigger(other)
    desk.drive()
    canceled = desk.trigger(job_id)["id"]
    desk.services.cancel_run("default", canceled, "me")
    found = figures(desk, job_id)
    assert found.pop("since") < desk.clock.now().isoformat()
    assert found == {
        "job_id": job_id,
        "window": "7d",
        "total_runs": 4,
        "completed_runs": 2,
        "failed_runs": 1,
        "timed_out_runs": 0,
        "crashed_runs": 0,
        "canceled_runs": 1,
        "expired_runs": 0,
        "success_rate": 50.0,
        "avg_duration_secs": 2.0,
        "p95_duration_secs": 2.0,
        "p99_duration_secs": 2.0,
        "health_score": 65.0,
    }
    desk.clock.advance(2 * 3600)
    assert figures(desk, job_id, window="1d")["total_runs"] == 4
    last_hour = figures(desk, job_id, window="1h")
    assert (last_hour["total_runs"], last_hour["health_score"]) == (0, -1)


@pytest.mark.parametrize("window", ["2d", "7D", "x", "0"])
def test_other_windows_are_refused(desk: Desk, window: str) -> None:
    """400 that names the parameter."""
    refused = desk.get(f"/jobs/{desk.job()['id']}/health", query={"window": window})
    assert (refused.status, refused.fields) == (400, {"window"})


def test_statistics_count_the_projects_runs_by_status(desk: Desk) -> None:
    """From counters; another project's don't count."""
    job_id = desk.job()["id"]
    for _ in range(2):
        desk.trigger(job_id)
        desk.drive()
    desk.trigger(job_id, scheduled_at="2026-01-02T00:00:00Z")
    desk.add_key("other", "admin", project="elsewhere")
    found = desk.get("/stats").json
    by_status = found.pop("by_status")
    assert found == {"project_id": "default", "total_runs": 3, "active_runs": 1, "success_rate": 100.0}
    assert {status: count for status, count in by_status.items() if count} == {"completed": 2, "delayed": 1}
    assert set(by_status) == set(RunStatus)
    assert desk.get("/stats", key="other").json["total_runs"] == 0
    assert desk.get("/stats?project_id=default", key="other").status == 404


def test_a_group_counts_the_runs_of_its_jobs(desk: Desk) -> None:
    """Those triggered while the job was in it."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    inside, outside = desk.job("a", group_id=group)["id"], desk.job("b")["id"]
    for job_id in (inside, outside):
        desk.trigger(job_id)
    desk.drive()
    found = desk.get(f"/job-groups/{group}/stats").json
    assert (found["group_id"], found["total_runs"], found["by_status"]["completed"]) == (group, 1, 1)
