"""A short way into the emulator for the calls that a run is made of.

Fault: MiniStack asks of every request whether it is one of some thirty kinds (a virtual host's, a signed upload, a
registry's, ...) before it looks for its service; that takes as long as a small DynamoDB call itself.

Repair: a POST to `/` whose `X-Amz-Target` names DynamoDB, Step Functions, SQS or KMS goes to that service at once. Everything
else takes MiniStack's way.

Asserted: the sources of `app` and `_dispatch_service_request`, whose part this takes over, and that `AUTH` is off.
"""

import functools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any

from ministack import app
from ministack.core import responses, router

from .source import RepairError, expect, replace

_SERVICES = {
    b"DynamoDB_20120810": "dynamodb",
    b"AWSStepFunctions": "stepfunctions",
    b"AmazonSQS": "sqs",
    b"TrentService": "kms",
}
_logger = logging.getLogger("quintet.repairs")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_original: Any = None


async def answer(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request (ASGI)."""
    service = _service_of(scope)
    if service is None:
        await _original(scope, receive, send)
        return
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = await _body(receive)
    if body is None:
        return
    responses.set_request_client_ip((scope.get("client") or ("127.0.0.1",))[0])
    responses.set_request_account_id(router.extract_access_key_id(headers))
    responses.set_request_region(router.extract_region(headers))
    try:
        status, answered, content = await app._get_module(service).handle_request("POST", "/", headers, body, {})
    except Exception as error:
        _logger.exception("%s failed", headers["x-amz-target"])
        status, answered = 500, {"Content-Type": "application/x-amz-json-1.0"}
        content = app.json.dumps({"__type": "InternalError", "message": str(error)})
    responses.fix_error_content_type(service, status, answered)
    responses.fix_success_content_type(service, status, answered)
    content = content.encode() if isinstance(content, str) else content
    answered |= {
        "x-amzn-requestid": str(uuid.uuid4()),
        "Content-Length": str(len(content)),
        "Date": _date(int(time.time())),
    }
    lines = [(name.encode("latin-1"), str(value).encode("latin-1")) for name, value in answered.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def _service_of(scope: Message) -> str | None:
    """The service a plain call names; None for all that is not one."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/" or scope.get("query_string"):
        return None
    target = None
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower == b"x-amz-target":
            target = value
        elif lower in (b"content-encoding", b"x-amz-content-sha256") and value.startswith(
            (b"gzip", b"aws-", b"STREAMING")
        ):
            return None
    return None if target is None else _SERVICES.get(target.partition(b".")[0])


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None when the caller has gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


@functools.lru_cache(maxsize=2)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


def repair() -> None:
    """Put the short way before MiniStack's."""
    global _original  # noqa: PLW0603 - MiniStack's own application, for everything else
    if app.AUTH:
        raise RepairError("ministack.app: AUTH is on, and the short way checks no signature")
    expect(app, "_dispatch_service_request", "17e5ef6dcfa0")
    if app.app is not answer:
        _original = app.app
    replace(app, "app", answer, "ab1297bd6cd5")
