"""API keys: make, list, rotate, revoke."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from quintet.dialects.jobs import documented
from quintet.dialects.jobs.finding import NAME, ProjectId
from quintet.dialects.jobs.models_admin import KeyIn, KeyView, KeyWithSecret
from quintet.dialects.jobs.paging import LIMIT, Cursor, Envelope, Limit, listing
from quintet.domain.errors import Invalid, Problem
from quintet.services.ports.keys import Key
from quintet.web.api import Routes, no_content
from quintet.web.gate import needs

routes = Routes()
KeyId = Annotated[str, Path(min_length=1, max_length=128, pattern=NAME, description="The key's id.")]


def _view(key: Key) -> KeyView:
    return KeyView(
        id=key.id,
        project_id=key.project,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


def _with_secret(key: Key, secret: str) -> KeyWithSecret:
    return KeyWithSecret(**dict(_view(key)), key=secret)


@routes.get("/v1/api-keys", **documented.of("List API keys", "API keys", 403, 404, content=documented.pages(KeyView)))
@needs("api-keys:manage")
def list_api_keys(
    project_id: ProjectId = None, limit: Limit = LIMIT, cursor: Cursor = None, envelope: Envelope = False
) -> Response[str]:
    """Lists a project's keys, newest first, revoked ones included; never their secrets."""
    caller = routes.caller
    page = routes.engine.manage_keys.page(caller.key, project_id or caller.project, limit, cursor)
    return listing(routes.event, [_view(key) for key in page.keys], page.cursor, envelope=envelope)


@routes.post("/v1/api-keys", **documented.of("Create an API key", "API keys", 403, 404, success=201, said="Created"))
@needs("api-keys:manage")
def create_api_key(body: Annotated[KeyIn, Body()]) -> KeyWithSecret:
    """Makes a key, with no scope that the calling key lacks. The answer shows its secret, this once."""
    if body.expires_at is not None and body.expires_at.tzinfo is None:
        raise Invalid([Problem(("expires_at",), "needs a time zone, e.g. `Z`")])
    caller = routes.caller
    key, secret = routes.engine.manage_keys.issue(
        caller.key, body.project_id or caller.project, body.name, body.scopes, body.expires_at
    )
    return _with_secret(key, secret)


@routes.get("/v1/api-keys/<key_id>", **documented.of("Get an API key", "API keys", 403, 404))
@needs("api-keys:manage")
def get_api_key(key_id: KeyId) -> KeyView:
    """Reads what is known of a key."""
    return _view(routes.engine.manage_keys.get(routes.caller.key, key_id))


@routes.delete(
    "/v1/api-keys/<key_id>",
    **documented.of("Revoke an API key", "API keys", 403, 404, success=204, said="Revoked, now or before"),
)
@needs("api-keys:manage")
def revoke_api_key(key_id: KeyId) -> Response[str]:
    """Revokes a key for good, within 30 seconds."""
    routes.engine.manage_keys.revoke(routes.caller.key, key_id)
    return no_content()


@routes.post("/v1/api-keys/<key_id>/rotate", **documented.of("Rotate an API key", "API keys", 403, 404, 409))
@needs("api-keys:manage")
def rotate_api_key(key_id: KeyId) -> KeyWithSecret:
    """Gives a key another secret, which the answer shows, this once; the old one stops working within 30 seconds."""
    return _with_secret(*routes.engine.manage_keys.rotate(routes.caller.key, key_id))
