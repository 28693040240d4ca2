"""Programs, called bots here: what tasks run."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from quintet.dialects.etl import documented
from quintet.dialects.etl.models_programs import ProgramView
from quintet.dialects.etl.paging import SIZE, Page, PageSize, listing
from quintet.domain.program import JSON
from quintet.services.programs import CONTENT_TYPES, MAX_BYTES
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs, takes

routes = Routes()
Name = Annotated[str, Path(description="The program's name, or its id.")]
_SHOWN = documented.model(ProgramView)
_SOURCE = {type_: {"schema": {} if type_ == JSON else {"type": "string"}} for type_ in CONTENT_TYPES}


@routes.get("/webrobot/api/bots", **documented.listed("List programs", "Programs", ProgramView))
@needs("jobs:read")
def list_programs(page: Page = 0, page_size: PageSize = SIZE) -> Response[str]:
    """Lists the project's programs, the oldest first."""
    programs, project = routes.engine.programs, routes.caller.project
    found = programs.page(project, page_size, page * page_size)
    return listing([ProgramView.of(program) for program in found], programs.count(project))


@routes.put(
    "/webrobot/api/bots/<name>",
    **documented.of(
        "Keep a program",
        "Programs",
        404,
        409,
        413,
        content=_SHOWN,
        also={201: {"description": "Created", "content": _SHOWN}},
        requestBody=documented.raw_body(*CONTENT_TYPES),
    ),
)
@needs("jobs:write")
@takes(MAX_BYTES)
def put_program(name: Annotated[str, Path(description="The program's name.")]) -> Response[str]:
    """Keeps a program under a name: the body as it is, of the type that Content-Type says. 201 when the name is new."""
    type_ = routes.event.lower_headers.get("content-type", "").partition(";")[0].strip().lower()
    program, created = routes.engine.programs.put(routes.caller.project, name, type_, routes.event.raw)
    return json_response(201 if created else 200, ProgramView.of(program).shown())


@routes.get("/webrobot/api/bots/<name>", **documented.of("Read a program's record", "Programs", 404))
@needs("jobs:read")
def get_program(name: Name) -> ProgramView:
    """Reads what is known of a program."""
    return ProgramView.of(routes.engine.programs.find(routes.caller.project, name))


@routes.get(
    "/webrobot/api/bots/<name>/content", **documented.of("Read a program's bytes", "Programs", 404, content=_SOURCE)
)
@needs("jobs:read")
def get_program_content(name: Name) -> Response[str]:
    """Reads a program's bytes as they came; the values of a JSON program's headers are write-only and shown as `***`."""
    programs = routes.engine.programs
    program = programs.find(routes.caller.project, name)
    return Response(200, f"{program.type}; charset=utf-8", programs.source(program).decode())


@routes.delete(
    "/webrobot/api/bots/<name>", **documented.of("Remove a program", "Programs", 404, content=documented.NOTHING)
)
@needs("jobs:write")
def delete_program(name: Name) -> Response[str]:
    """Removes a program. Runs that began with it go on; tasks that name it fail when they start next."""
    routes.engine.programs.remove(routes.caller.project, name)
    return json_response(200, {})
