"""API Gateway's limits and error bodies for HTTP APIs, as the front door mirrors them.

Source: "Quotas for configuring and running an HTTP API" in the API Gateway developer guide.
"""

import json

MAX_BODY = 10 * 1024 * 1024
INTEGRATION_TIMEOUT_S = 30.0


def message(text: str) -> bytes:
    """Return the JSON body that API Gateway itself answers with."""
    return json.dumps({"message": text}).encode()
