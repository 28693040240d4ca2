"""A local cloud of its own for tests that kill it."""

from collections.abc import Iterator

import pytest
from tests.local_cloud.client import Client
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with this checkout deployed; whoever ends it starts it again."""
    server = Server(tmp_path_factory.mktemp("killed") / "home").start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client with the local cloud's key."""
    with Client(server.url) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A user's own HTTP endpoint, which outlives the server."""
    with Endpoint() as endpoint:
        yield endpoint
