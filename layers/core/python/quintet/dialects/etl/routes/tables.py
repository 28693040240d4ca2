"""Tables of free JSON rows."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.etl import documented
from quintet.dialects.etl.finding import RowNumber
from quintet.dialects.etl.paging import SIZE, Page, PageSize, listing
from quintet.services.ports.collections import Record
from quintet.web.api import Routes, json_response
from quintet.web.gate import exact, needs
from quintet.web.rendering import moment

routes = Routes()
TABLE = "/api/strapi-tables/<table>"
ROW = f"{TABLE}/<row_id>"

Table = Annotated[str, Path(pattern="^[a-z0-9_-]{1,64}$", description="The table's name.")]
Fields = Annotated[
    dict[str, Any], Body(description="Any JSON object. `id`, `createdAt` and `updatedAt` in it have no effect.")
]
_SHOWN = documented.model(dict[str, Any])


def row_view(row: Record) -> dict[str, Any]:
    """A row as it is shown: its own fields, between those that it has from us."""
    ours = {"createdAt": moment(row.created_at), "updatedAt": moment(row.updated_at)}
    return {"id": str(row.number), **row.body, **ours}


@routes.get(TABLE, **documented.listed("List a table's rows", "Tables", dict[str, Any], 404, 413))
@needs("jobs:read")
def list_rows(table: Table, page: Page = 0, page_size: PageSize = SIZE) -> Response[str]:
    """Lists the rows of a table, the oldest first; none of a table that has none. 413 when the page is more than an answer holds."""
    rows, project = routes.engine.rows, routes.caller.project
    found = rows.page(project, table, page_size, page * page_size)
    return listing([row_view(row) for row in found], rows.count(project, table))


@routes.post(TABLE, **documented.of("Add a row", "Tables", 404, 413, success=201, said="Created", content=_SHOWN))
@needs("jobs:write")
@exact
def create_row(table: Table, body: Fields) -> Response[str]:
    """Adds a row to a table, and with its first row the table. Numbers stay as they were written."""
    return json_response(201, row_view(routes.engine.rows.create(routes.caller.project, table, body)))


@routes.get(ROW, **documented.of("Read a row", "Tables", 404, content=_SHOWN))
@needs("jobs:read")
def get_row(table: Table, row_id: RowNumber) -> Response[str]:
    """Reads a row."""
    return json_response(200, row_view(routes.engine.rows.get(routes.caller.project, table, row_id)))


@routes.put(ROW, **documented.of("Change a row", "Tables", 404, 413, 429, content=_SHOWN))
@needs("jobs:write")
@exact
def update_row(table: Table, row_id: RowNumber, body: Fields) -> Response[str]:
    """Puts the fields of the body over the row's; a field that it does not name stays, null is a value."""
    return json_response(200, row_view(routes.engine.rows.merge(routes.caller.project, table, row_id, body)))


@routes.delete(ROW, **documented.of("Remove a row", "Tables", 404, content=documented.NOTHING))
@needs("jobs:write")
def delete_row(table: Table, row_id: RowNumber) -> Response[str]:
    """Removes a row; its id is not given again."""
    routes.engine.rows.delete(routes.caller.project, table, row_id)
    return json_response(200, {})
