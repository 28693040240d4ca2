"""Whatever is sent to the routes of projects, jobs and tasks, the answer is one of this API's."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tasks_desk import TasksDesk

from quintet.dialects.etl.models_work import JobPatch, ProjectPatch, ScheduleIn, StartIn, TaskPatch

SEGMENTS = st.sampled_from(
    ["projects", "id", "1", "2", "0", "999999999999999", "1e3", "-1", "jobs", "tasks", "start", "stop", "status", "metrics", "execute",
     "executions", "logs", "schedule", "admin", "mark-zombies", "shop", "%00", "é", "..", "", "x" * 300]
)  # fmt: skip
FIELDS = st.sampled_from(
    sorted(
        {
            field.alias or name
            for model in (ProjectPatch, ScheduleIn, JobPatch, TaskPatch, StartIn)
            for name, field in model.model_fields.items()
        }
    )
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(
        ["1", "2", "shop", "etl", "PYTHON", "SCHEDULED", "2026-06-01T00:00:00Z", "9999-12-31T23:59:59-01:00",
         "0001-01-01T00:00:00+01:00", "* * * * *", "0 0 29 2 *", "Europe/Rome", "../etc", "{% input %}"]
    )
)  # fmt: skip
BODIES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=6),
    max_leaves=12,
)
QUERIES = st.text(max_size=20) | st.dictionaries(
    st.sampled_from(["page", "pageSize", "tail", "timeoutHours", "startTime", "endTime"]),
    st.text(max_size=5)
    | st.sampled_from(["1", "0", "1e400", "nan", "2026-06-01T00:00:00Z", "9999-12-31T23:59:59-01:00"]),
    max_size=4,
)
PATHS = st.sampled_from(
    ["/projects", "/projects/id/1", "/projects/shop", "/projects/id/1/schedule", "/projects/id/1/jobs", "/projects/id/1/jobs/1",
     "/projects/id/1/jobs/1/tasks", "/projects/id/1/jobs/1/tasks/1", "/projects/id/1/jobs/1/tasks/1/start",
     "/projects/id/1/jobs/1/execute", "/projects/id/1/jobs/1/metrics", "/projects/admin/tasks/mark-zombies"]
) | st.lists(SEGMENTS, max_size=8).map(lambda parts: "/" + "/".join(parts))  # fmt: skip

DESK = TasksDesk()
DESK.task()


@settings(
    max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.sampled_from(["GET", "POST", "PUT", "PATCH"]), PATHS, BODIES, QUERIES)
def test_the_answer_is_no_fault_of_ours(method: str, path: str, body: Any, query: Any) -> None:
    """Never a 500; errors in the API's shape; what was made can be read again."""
    answer = DESK.send(method, path, body, query=query)
    assert answer.status < 500, answer.text
    if answer.status >= 400:
        assert answer.error
    for known in ("/projects", "/projects/id/1/jobs", "/projects/id/1/jobs/1/tasks"):
        assert DESK.get(known).status == 200
    DESK.drive()
