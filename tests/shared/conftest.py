"""One server for all tests of the room, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guardkit.shared import Shared

from ._server import KEY, Server, redis_server


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(one_server: Server) -> Server:
    one_server.empty()
    return one_server


@pytest.fixture
def shared(server: Server) -> Iterator[Shared]:
    made = Shared(server.url, KEY)
    yield made
    made.close()
