"""Builds an API: Powertools' HTTP resolver with validation and OpenAPI, our gate before every route, our answers after it."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, cast

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route, Router

from quintet.domain.errors import TooLarge
from quintet.domain.job import JobVersion
from quintet.services.ports.jobs import Jobs
from quintet.web.authentication import Caller
from quintet.web.engine import Engine
from quintet.web.event import HttpEvent
from quintet.web.gate import Gate, scope_of
from quintet.web.rendering import ANSWER_BYTES, to_json, too_large

REQUEST_ID = "x-request-id"
_KEPT_VERSIONS = 1024
_INTERNAL = HTTPStatus.INTERNAL_SERVER_ERROR


class MethodNotAllowed(Exception):
    """The path exists, but not with this method."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("Method Not Allowed")
        self.allowed = allowed


class UnknownPath(Exception):
    """No route has this path."""


class Errors(Protocol):
    """A dialect's error bodies."""

    def __call__(self, error: Exception) -> Response[str] | None:
        """The answer to an error; None for one that isn't the caller's."""
        ...

    def internal(self) -> Response[str]:
        """The answer when the fault is ours."""
        ...


class Versions:
    """The job versions read last."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], JobVersion] = {}

    def get(self, jobs: Jobs, job_id: str, version: int) -> JobVersion:
        """The version. Raises NotFound."""
        found = self._known.get((job_id, version))
        if found is None:
            found = jobs.version(job_id, version)
            if len(self._known) >= _KEPT_VERSIONS:
                self._known.pop(next(iter(self._known)))
            self._known[job_id, version] = found
        return found


class Routes(Router):
    """Routes of one noun; each is marked with `needs`."""

    api_resolver: "Api"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools leaves its constructor untyped

    @property
    def engine(self) -> Engine:
        """The use cases."""
        return self.api_resolver.engine()

    def version(self, job_id: str, version: int) -> JobVersion:
        """A job's version; versions never change, so each is read once a process."""
        return self.api_resolver.versions.get(self.engine.jobs, job_id, version)

    @property
    def caller(self) -> Caller:
        """Who asks; only in routes that need a scope."""
        return cast(Caller, self.context["caller"])

    @property
    def event(self) -> HttpEvent:
        """The request itself."""
        return cast(HttpEvent, self.current_event)

    @property
    def remaining_seconds(self) -> float:
        """How long this invocation may still take."""
        context = self.lambda_context
        millis = getattr(context, "get_remaining_time_in_millis", None)
        return millis() / 1000 if millis else 30.0


class Api(APIGatewayHttpResolver):
    """One dialect's HTTP API. `engine` is called on the first request that needs it, not at import."""

    def __init__(self, engine: Callable[[], Engine], errors: Errors, routes: Sequence[Routes]) -> None:
        super().__init__(
            enable_validation=True,
            serializer=to_json,
            response_validation_error_http_code=_INTERNAL,
            debug=False,
        )
        self.engine = engine
        self.versions = Versions()
        self._errors = errors
        self._request_validation_middleware = Gate(engine)
        self.exception_handler_manager.exception_handler(Exception)(self._failed)
        self._groups = tuple(routes)
        for group in routes:
            self.include_router(group)
        for route in self.every_route:
            scope_of(route.func)

    @property
    def every_route(self) -> list[Route]:
        """All routes, those without parameters first."""
        return self._static_routes + self._dynamic_routes

    def answer(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda answer to an HTTP API event; always one, always with a request id."""
        for group in self._groups:  # Powertools gives routes to the API made last; they are this one's while it answers
            group.api_resolver, group.context = self, self.context
        try:
            answer = self.resolve(cast(dict[str, Any], event), context)
        except Exception as error:  # noqa: BLE001  # the last line of defence: a caller never sees a traceback
            answer = self._said(self._failed(error))
        if too_large(answer.get("body") or ""):
            answer = self._said(self._failed(TooLarge(f"the answer is above {ANSWER_BYTES} bytes: ask for less")))
        answer.setdefault("headers", {})[REQUEST_ID] = request_id(event, context)
        return answer

    @staticmethod
    def _said(response: Response[str]) -> dict[str, Any]:
        return {"statusCode": response.status_code, "headers": dict(response.headers), "body": response.body}

    def _to_proxy_event(self, event: dict[str, Any]) -> HttpEvent:
        return HttpEvent(event)

    def _handle_not_found(self, method: str, path: str) -> ResponseBuilder[Any]:
        """A path or method that no route has; not behind the gate, since there is nothing to guard."""
        allowed = sorted({route.method for route in self.every_route if route.rule.match(path)})
        response = self._failed(MethodNotAllowed(allowed) if allowed else UnknownPath())
        return ResponseBuilder(response=response, serializer=to_json)

    def _failed(self, error: Exception) -> Response[str]:
        response = self._errors(error)
        if response is None:
            report(error)
            response = self._errors.internal()
        return response


def request_id(event: Mapping[str, Any], context: Any) -> str:
    """The id a request is known by: the gateway's, else the invocation's."""
    given = (event.get("requestContext") or {}).get("requestId")
    return str(given or getattr(context, "aws_request_id", ""))


def report(error: Exception) -> None:
    """Says a fault of ours in the function's log, as one line of JSON."""
    trace = "".join(traceback.format_exception(error))
    print(to_json({"level": "ERROR", "message": "unhandled", "error": type(error).__name__, "trace": trace}))  # noqa: T201  # Lambda's log is stdout


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer outside the route's declared one."""
    return Response(status, "application/json", to_json(body), headers=dict(headers or {}))


def no_content() -> Response[str]:
    """204: done, and nothing to say."""
    return Response(204, None, "")
