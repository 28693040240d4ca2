"""What every request passes before its route: authentication, scope, then strict validation of parameters and body."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from quintet.web.authentication import Authenticator, credential, refuse_cross_site
from quintet.web.bodies import MAX_BYTES, BadBody
from quintet.web.engine import Engine
from quintet.web.event import HttpEvent

F = TypeVar("F", bound=Callable[..., Any])

PUBLIC = "public"
_SCOPE = "quintet_scope"
_FIRST = "quintet_first"
_TAKES = "quintet_takes"
_EXACT = "quintet_exact"
_OR_RUN_TOKEN = "quintet_or_run_token"  # noqa: S105  # the name of a mark
_JSON = ("application/json", "text/json")


def needs(scope: str) -> Callable[[F], F]:
    """Marks a route with the scope that its callers need; PUBLIC for none."""

    def mark(route: F) -> F:
        setattr(route, _SCOPE, scope)
        return route

    return mark


def first(check: Callable[[Mapping[str, str]], None]) -> Callable[[F], F]:
    """Marks a route with what is looked at after the scope and before any field; `check` gets the path's parameters as they came, and
    may leave what it found in the request's context."""

    def mark(route: F) -> F:
        setattr(route, _FIRST, check)
        return route

    return mark


def takes(most: int) -> Callable[[F], F]:
    """Marks a route with the bytes that its body may have, where that isn't MAX_BYTES."""

    def mark(route: F) -> F:
        setattr(route, _TAKES, most)
        return route

    return mark


def exact(route: F) -> F:
    """Marks a route to whose body numbers come digit by digit: those that aren't whole as Decimals."""
    setattr(route, _EXACT, True)
    return route


def or_run_token(route: F) -> F:
    """Marks a route that the program which works on a run may call too: by the run's token, in X-Run-Token or as a bearer. Whom it speaks
    for is then in the request's context, as `run_token`, and no caller is."""
    setattr(route, _OR_RUN_TOKEN, True)
    return route


def scope_of(route: Callable[..., Any]) -> str:
    """The scope a route was marked with; a route that nobody marked is a fault of ours, found when the API is built."""
    return str(getattr(route, _SCOPE))


class Gate(OpenAPIRequestValidationMiddleware):
    """The first middleware of every route."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools leaves its constructor untyped
        self._engine = engine
        self._authenticator = Authenticator()

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        """Admits the caller, validates the request, goes on. Raises Unauthenticated, Forbidden, RequestValidationError."""
        route = app.context["_route"].func
        scope = scope_of(route)
        if scope != PUBLIC and not self._speaks_for_run(app, route):
            self._admit(app, scope)
        app.current_event.most_bytes = getattr(route, _TAKES, MAX_BYTES)
        app.current_event.exact = getattr(route, _EXACT, False)
        check = getattr(route, _FIRST, None)
        if check is not None:
            check(app.context["_route_args"])
        return super().handler(app, next_middleware)

    def _speaks_for_run(self, app: Any, route: Callable[..., Any]) -> bool:
        """True when a run's token came, where one counts. Raises Unauthenticated for one that is not ours."""
        if not getattr(route, _OR_RUN_TOKEN, False):
            return False
        headers = app.current_event.lower_headers
        scheme, _, bearer = headers.get("authorization", "").strip().partition(" ")
        signed = bearer.strip() if scheme.lower() == "bearer" and bearer.count(".") == 2 else ""
        token = headers.get("x-run-token", "").strip() or signed
        if token:
            app.append_context(run_token=self._engine().run_tokens.read(token))
        return bool(token)

    def _admit(self, app: Any, scope: str) -> None:
        event: HttpEvent = app.current_event
        given = credential(event.lower_headers, event.cookies)
        engine = self._engine()
        caller = self._authenticator.caller(given.secret, engine.keys, engine.clock)
        if given.from_cookie:
            refuse_cross_site(event.http_method, event.lower_headers)
        caller.require(scope)
        app.append_context(caller=caller)

    def _get_body(self, app: Any) -> dict[str, Any] | None:  # type: ignore[override]  # no body is None there too
        """The body, which for every route that declares one is a JSON object."""
        event: HttpEvent = app.current_event
        kind = event.lower_headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            body: Any = event.json_body
        except BadBody as bad:
            place = ("body",) if bad.position is None else ("body", bad.position)
            raise invalid("json_invalid", place, f"JSON decode error: {bad.message}") from bad
        if body is None:
            return None
        if not isinstance(body, dict):
            raise invalid("model_attributes_type", ("body",), "Input should be a valid dictionary or object")
        if kind and kind not in _JSON and not kind.endswith("+json"):
            raise invalid("content_type", ("body",), f"Content-Type should be application/json, not {kind}")
        return body


def invalid(type_: str, place: tuple[str | int, ...], message: str) -> RequestValidationError:
    """A validation error of one place."""
    return RequestValidationError([{"type": type_, "loc": place, "msg": message}])
