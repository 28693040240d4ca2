"""What the functions tell CloudWatch: faults with the names people search by, and counts worth a graph.

Powertools is imported at the first fault or count, not at a cold start: most calls have nothing to tell.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def faults_logged(**names: object) -> Iterator[None]:
    """Logs an exception as JSON together with `names` (run, path, ...), and lets it go on: the caller's retry rests on it."""
    try:
        yield
    except Exception:
        from aws_lambda_powertools import Logger  # 41 ms that only a fault pays

        Logger().exception("The call failed", extra=names)
        raise


def count(function: str, counts: Mapping[str, int]) -> None:
    """Adds to the metrics of those names, by function; zeros are left out, since each metric costs by its existence."""
    told = {name: number for name, number in counts.items() if number}
    if not told:
        return
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit  # see the module's docstring

    metrics = EphemeralMetrics()
    metrics.add_dimension("function", function)
    for name, number in told.items():
        metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()
