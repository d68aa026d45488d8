"""The guard of these tests: the scripted one, in the one place that has to change for another."""

from __future__ import annotations

import pytest

from ._guard import Scripted


@pytest.fixture
def guard() -> Scripted:
    return Scripted()


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
