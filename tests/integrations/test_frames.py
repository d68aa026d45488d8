"""pandas and polars: the two lines that `guardkit/batch/README.md` shows, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import guardkit
from guardkit.errors import UsageError

from ._tools import ROOT, guard_of, needs

TEXTS = ["good day", "FORBIDDEN", "see NB-1234"]
ACTIONS = ["pass", "block", "rewrite"]


def shown(library: str) -> str:
    """The lines of the README for a library."""
    page = Path(ROOT, "guardkit", "batch", "README.md").read_text(encoding="utf-8")
    found = re.search(rf"```python\n(# {library}\n.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def run(library: str, frame: Any, **names: Any) -> Any:
    inside = {"guardkit": guardkit, "guard": guard_of(), "frame": frame, **names}
    exec(shown(library), inside)
    return inside["frame"]


@needs("pandas")
def test_pandas() -> None:
    import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

    frame = run("pandas", pd.DataFrame({"text": TEXTS, "n": [1, 2, 3]}))
    assert list(frame["action"]) == ACTIONS
    assert list(frame["n"]) == [1, 2, 3]
    with pytest.raises(UsageError, match="has to be a str"):
        run("pandas", pd.DataFrame({"text": ["good day", None]}))


@needs("polars")
def test_polars() -> None:
    import polars as pl  # type: ignore[import-not-found, unused-ignore]

    frame = run("polars", pl.DataFrame({"text": TEXTS, "n": [1, 2, 3]}), pl=pl)
    assert frame["action"].to_list() == ACTIONS
    assert frame.columns == ["text", "n", "action"]
    with pytest.raises(UsageError, match="has to be a str"):
        run("polars", pl.DataFrame({"text": ["good day", None]}), pl=pl)
