"""A model, a server in front of it and a client: what most files here begin with.

A file that needs another policy, or another client, has a fixture of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ._served import POLICY, Served, served
from ._upstream_double import Upstream, upstream


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as double:
        yield double


@pytest.fixture(scope="module")
def server(up: Upstream) -> Iterator[Served]:
    with served(POLICY, upstream=up.url) as running:
        yield running


@pytest.fixture(scope="module")
def url(server: Served) -> str:
    return server.url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """The client of OpenAI, which not every environment has."""
    import openai

    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-client", max_retries=0) as made:
        yield made


@pytest.fixture
def direct(up: Upstream) -> Iterator[Any]:
    """The same client without anything between it and upstream."""
    import openai

    with openai.OpenAI(base_url=f"{up.url}/v1", api_key="sk-client", max_retries=0) as made:
        yield made
