"""Who asks, as the authors and runs of this API see them."""

from quintet.dialects.etl.authoring import Desk
from quintet.dialects.etl.runs import LastRuns
from quintet.domain.run import Trigger
from quintet.web.api import Routes


def desk_of(routes: Routes) -> Desk:
    """The caller's tools."""
    return Desk(routes.engine, routes.caller.project, routes.caller.name)


def runs_of(routes: Routes, desk: Desk) -> LastRuns:
    """The runs of the caller's project, started in his name."""
    key = routes.caller.key
    return LastRuns(desk, Trigger("manual", *(("user", key.owner) if key.owner else ("api", key.id))))
