"""Talks to a running Quintet over HTTP, as any other client does."""

import httpx

_TIMEOUT_S = 35.0


def is_ready(url: str) -> bool:
    """Tell whether a Quintet server answers there and is ready."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=5.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def connect(url: str, api_key: str) -> httpx.Client:
    """Return a client with the API key set; the proxy settings of the machine do not concern the own machine."""
    return httpx.Client(base_url=url, headers={"x-api-key": api_key}, timeout=_TIMEOUT_S, trust_env=False)
