"""A pipelines.yml is read as its authors mean it, and every problem is named with its line."""

import pytest

from quintet.adapters.cron import fault as schedule_fault
from quintet.dialects.pipelines.definitions import BadDefinitions, PipelineDef, load, seconds

WHOLE = """
pipelines:
  build:
    concurrency: 2
    queue_limit: 3
    queue_strategy: partitioned_replace
    queue_partition_limit: 1
    start_delay: 10s
    continue_running_tasks_after_failure: true
    retention_period: 720h
    retention_count: 50
    env: {LEVEL: 3, DEBUG: true}
    timeout: 1h30m
    retries: 2
    cron: "0 4 * * *"
    timezone: Europe/Berlin
    tasks:
      test:
        script: ["go test {{ .packages | join \\" \\" }}"]
        depends_on: [lint]
        env: {CGO: "0"}
      lint:
        script:
          - golint
        allow_failure: true
      all:
        script: ["echo done"]
        depends_on: [test, lint]
    on_error:
      script: ["notify {{ .failedTaskName }}"]
  simple:
    tasks:
      b: {script: [b]}
      a: {script: [a]}
"""


def read(text: str, *, json: bool = False) -> list[PipelineDef]:
    """The pipelines of a document."""
    return load(text, json=json, schedule_fault=schedule_fault)


def faults(text: str, *, json: bool = False) -> list[str]:
    """What is said of a document."""
    with pytest.raises(BadDefinitions) as refused:
        read(text, json=json)
    return [str(fault) for fault in refused.value.faults]


def test_a_whole_document_is_read() -> None:
    """All fields, tasks in topological order with ties by name."""
    build, simple = read(WHOLE)
    assert [task.name for task in build.tasks] == ["lint", "test", "all"]
    assert (build.concurrency, build.queue_limit, build.queue_strategy, build.queue_partition_limit) == (
        2,
        3,
        "partitioned_replace",
        1,
    )
    assert (build.start_delay, build.retention_period, build.retention_count) == (10.0, 2_592_000.0, 50)
    assert build.continue_running_tasks_after_failure and build.timeout == 5400 and build.retries == 2
    assert build.env == {"LEVEL": "3", "DEBUG": "true"} and build.tasks[1].env == {"CGO": "0"}
    assert build.on_error is not None and build.on_error.name == "on_error"
    assert (build.cron, build.timezone) == ("0 4 * * *", "Europe/Berlin")
    assert [task.name for task in simple.tasks] == ["a", "b"]
    assert (simple.concurrency, simple.queue_limit, simple.queue_strategy) == (1, None, "append")


def test_every_problem_is_named_with_its_line() -> None:
    """All at once, in the order of the lines."""
    text = """
pipelines:
  "bad name":
    concurrency: 0
    queue_strategy: never
    what: 1
    tasks:
      a: {script: ["{{ .x"], depends_on: [b, nobody]}
      b: {script: [], depends_on: [a]}
  twice:
    tasks: {a: {script: [a]}}
  twice:
    start_delay: soon
    queue_limit: -1
    cron: "* *"
    tasks: {on_error: {script: [a]}}
"""
    found = faults(text)
    assert [line.partition(":")[0] for line in found] == sorted(
        (line.partition(":")[0] for line in found), key=lambda words: int(words.removeprefix("line "))
    )
    told = "\n".join(found)
    for part in (
        "line 4: pipelines.bad name:",
        "line 4: pipelines.bad name.concurrency: must be a whole number from 1 on",
        "line 5: pipelines.bad name.queue_strategy: must be one of append, replace, partitioned_replace",
        "line 6: pipelines.bad name.what: unknown field",
        "line 8: pipelines.bad name.tasks.a.script[0]: {{ without }}",
        "line 8: pipelines.bad name.tasks.a.depends_on[1]: unknown task 'nobody'",
        "line 9: pipelines.bad name.tasks.b.script: script needs at least one line",
        "cycle:",
        "line 12: pipelines: 'twice' is there twice",
        "line 13: pipelines.twice.start_delay: must be a duration",
        "line 14: pipelines.twice.queue_limit:",
        "line 15: pipelines.twice.cron:",
        "line 16: pipelines.twice.tasks.on_error:",
    ):
        assert part in told, (part, told)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "must be a mapping"),
        ("pipelines: [", "line 1: not YAML"),
        ("a: 1", "pipelines is missing"),
        ("pipelines: {a: {tasks: {}}}", "at least one task"),
        ("pipelines: {a: {tasks: {t: {script: [x]}}, start_delay: 1s, queue_limit: 0}}", "queue_limit of 0"),
        ("pipelines: {a: {tasks: {t: {script: [x]}}, queue_partition_limit: 1}}", "only used with"),
        ("pipelines: {a: {tasks: {t: {script: [x], env: {'a-b': 1}}}}}", "is no name for a variable"),
        ("pipelines: !!python/object:os.system {}", "not YAML"),
        (
            "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]",
            "more than",
        ),
    ],
)
def test_odd_documents_are_refused(text: str, part: str) -> None:
    """Broken syntax, foreign types, aliases without end, fields that contradict each other."""
    assert any(part in line for line in faults(text)), faults(text)


def test_json_is_read_too() -> None:
    """The same document, without lines."""
    (found,) = read('{"pipelines": {"a": {"tasks": {"t": {"script": ["x"]}}}}}', json=True)
    assert found.tasks[0].script == ("x",)
    assert faults('{"pipelines": {"a": {"tasks": {"t": {"script": [1]}}}}}', json=True) == [
        "pipelines.a.tasks.t.script[0]: a line of a script must be a text"
    ]


def test_anchors_and_merges_work() -> None:
    """As people use them to share settings."""
    text = "pipelines:\n  a: &base\n    concurrency: 3\n    tasks: {t: {script: [x]}}\n  b:\n    <<: *base\n    concurrency: 4\n"
    a, b = read(text)
    assert (a.concurrency, b.concurrency, b.tasks[0].name) == (3, 4, "t")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 10),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("0", 0),
        (30, 30),
        ("x", None),
        ("10", None),
        (-1, None),
        (True, None),
        ("", None),
    ],
)
def test_durations_are_gos(text: object, expected: float | None) -> None:
    """Numbers with units, or plain seconds."""
    assert seconds(text) == expected
