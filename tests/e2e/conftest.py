"""One local cloud for every test that needs no other: starting one takes seconds."""

from collections.abc import Iterator

import pytest
from tests.local_cloud.client import Client
from tests.local_cloud.endpoint import Endpoint
from tests.local_cloud.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running cloud with this checkout deployed, in a data folder of its own."""
    server = Server(tmp_path_factory.mktemp("quintet") / "home")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def url(server: Server) -> str:
    """Its address."""
    return server.url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client with the local cloud's key."""
    with Client(url) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A user's own HTTP endpoint."""
    with Endpoint() as endpoint:
        yield endpoint
