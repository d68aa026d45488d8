"""The guards of these tests: a scripted one, and the real one of the same policy."""

from __future__ import annotations

import pytest

from ._guard import Recorded, Scripted


@pytest.fixture(params=[Scripted, Recorded])
def guard(request: pytest.FixtureRequest) -> Scripted | Recorded:
    made: Scripted | Recorded = request.param()
    return made


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
