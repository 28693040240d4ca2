"""The Automations API, put together."""

from collections.abc import Callable

from quintet.dialects.automations.errors import AutomationErrors
from quintet.dialects.automations.routes import automations, events, runs, steps, webhooks
from quintet.web.api import Api
from quintet.web.engine import Engine


def build(engine: Callable[[], Engine]) -> Api:
    """The API over an engine that is made on the first request."""
    groups = [runs.routes, steps.routes, events.routes, automations.routes, webhooks.routes]
    return Api(engine, AutomationErrors(), groups)
