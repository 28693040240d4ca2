"""What a driver's output tells."""

from quintet.domain.driver_log import counts, raised, stderr_lines

SPARK = """26/03/01 12:00:00 INFO SparkContext: Running Spark version 3.5.5
\tof the kind that goes on here
26/03/01 12:00:01 WARN TaskSetManager: Lost task 1.0 in stage 1.0: java.lang.Exception
\tat org.apache.spark.Something(Something.scala:1)
Caused by: nothing much
26/03/01 12:00:02 ERROR Executor: Exception in task 0.0
26/03/01 12:00:03 FATAL Driver: gone
26/03/01 12:00:04 DEBUG Driver: still there
bash: something of its own
"""


def test_spark_s_own_lines_have_their_level() -> None:
    """What is below WARN is left out with what belongs to it; traces stay with their line; a program's own words are warnings."""
    assert list(stderr_lines(SPARK)) == [
        ("warning", "26/03/01 12:00:01 WARN TaskSetManager: Lost task 1.0 in stage 1.0: java.lang.Exception"),
        ("warning", "\tat org.apache.spark.Something(Something.scala:1)"),
        ("warning", "Caused by: nothing much"),
        ("error", "26/03/01 12:00:02 ERROR Executor: Exception in task 0.0"),
        ("error", "26/03/01 12:00:03 FATAL Driver: gone"),
        ("warning", "bash: something of its own"),
    ]


def test_errors_and_warnings_are_counted_by_line() -> None:
    """A trace is part of its line, and not an error of its own."""
    assert counts(SPARK) == (2, 1)
    assert counts("ERROR\nWARN but no log line\n") == (0, 0)


def test_the_exception_that_ended_a_program_is_found() -> None:
    """The last traceback counts, be its exception qualified, bare, or followed by Java's own words."""
    first = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    main()\nValueError: once\n'
    last = "Traceback (most recent call last):\n  ...\n{}\n: org.apache.spark.SparkException: Job aborted\n\tat x.y\n"

    assert raised("rows 1\n" + first) == "ValueError: once"
    assert raised(first + last.format("py4j.protocol.Py4JJavaError: An error occurred")) == (
        "py4j.protocol.Py4JJavaError: An error occurred"
    )
    assert raised(first + last.format("KeyboardInterrupt")) == "KeyboardInterrupt"
    assert raised("no traceback at all") is None
    assert raised("Traceback (most recent call last):\n") is None
