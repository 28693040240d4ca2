"""An HTTP API event (payload format 2.0) read the way clients of these APIs expect: strict JSON, last query value wins."""

from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from quintet.web import bodies


class HttpEvent(APIGatewayProxyEventV2):
    """One request; its body may have `most_bytes`, and numbers in it are `exact` or floats."""

    most_bytes = bodies.MAX_BYTES
    exact = False

    @cached_property
    def lower_headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        return {name.lower(): value for name, value in (self.get("headers") or {}).items()}

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last counts, and commas are part of values."""
        return dict(parse_qsl(self.get("rawQueryString") or "", keep_blank_values=True))

    @property
    def resolved_query_string_parameters(self) -> dict[str, list[str]]:
        """The query in the form that the validation reads; an empty value counts as not given."""
        return {name: [value] for name, value in self.query.items() if value}

    @property
    def resolved_headers_field(self) -> dict[str, Any]:
        """The headers, not split at commas."""
        return dict(self.lower_headers)

    @cached_property
    def raw(self) -> bytes:
        """The body's bytes. Raises BadBody, BodyTooLarge."""
        return bodies.raw_body(self.body, bool(self.is_base64_encoded), self.most_bytes)

    @cached_property
    def json_body(self) -> Any:
        """The body's JSON value, None without a body. Raises BadBody, BodyTooLarge."""
        return bodies.parse(self.raw, self.most_bytes, exact=self.exact)

    @property
    def request_id(self) -> str:
        """The id that the gateway gave this request."""
        return str((self.get("requestContext") or {}).get("requestId") or "")
