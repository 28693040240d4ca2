"""The WebRobot ETL API, put together."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from quintet.dialects.etl.errors import EtlErrors
from quintet.dialects.etl.paths import path_of
from quintet.dialects.etl.routes import (
    admin,
    completion,
    datasets,
    executions,
    html,
    jobs,
    programs,
    projects,
    queries,
    schedules,
    tables,
    tasks,
)
from quintet.web.api import Api, Routes
from quintet.web.engine import Engine

GROUPS: tuple[Routes, ...] = (
    completion.routes,
    queries.routes,
    datasets.routes,
    html.routes,
    programs.routes,
    tables.routes,
    projects.routes,
    schedules.routes,
    jobs.routes,
    tasks.routes,
    executions.routes,
    admin.routes,
)
"""The route groups; where two rules match a path, the one that comes first is asked."""


class EtlApi(Api):
    """The API; its routes are written without the base, and answer with it and without."""

    def answer(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda answer to an HTTP API event."""
        return super().answer({**event, "rawPath": path_of(event)}, context)


def build(engine: Callable[[], Engine]) -> Api:
    """The API over an engine that is made on the first request."""

    def now() -> datetime:
        return engine().clock.now()

    return EtlApi(engine, EtlErrors(now), GROUPS)
