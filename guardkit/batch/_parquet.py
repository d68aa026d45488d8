"""Results as Parquet. Such a file cannot grow: until the run is over, lines lie beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from guardkit.errors import UsageError

from ._journal import Journal
from ._lines import Lines

_AT_ONCE: Final = 8_192


class Columns(Lines):
    """Parquet; while the run is under way its lines are in a file whose name ends in `.partial`.

    Args:
        path: The file.
        shown: What errors call it.
        shows_values: Whether results hold texts.

    Raises:
        UsageError: What writes Parquet is not installed.
    """

    def __init__(self, path: Path, shown: str, *, shows_values: bool) -> None:
        super().__init__(path, shown, lines=path.with_name(path.name + ".partial"))
        self._shows_values = shows_values
        try:
            import pyarrow  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
        except ImportError:
            advice = "to write it: pip install 'guardkit[parquet]'"
            raise UsageError(f"`{shown}` is Parquet; {advice}") from None

    def finish(self, journal: Journal) -> None:
        """Put the lines into columns, in one step, and let go of them."""
        from pyarrow import parquet

        schema = _schema(shows_values=self._shows_values)
        made = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with parquet.ParquetWriter(made, schema) as writer, self.lines.open("rb") as lines:
                for rows in _some(lines):
                    writer.write_table(_table(rows, schema))
            os.replace(made, self.path)
        finally:
            made.unlink(missing_ok=True)
        super().finish(journal)
        self.lines.unlink(missing_ok=True)


def _some(lines: Iterator[bytes]) -> Iterator[list[dict[str, Any]]]:
    while rows := [json.loads(line) for line in islice(lines, _AT_ONCE)]:
        yield rows


def _schema(*, shows_values: bool) -> Any:
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    finding = [
        ("rule", text),
        ("check", text),
        ("label", text),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("score", pa.float64()),
        ("view", text),
        ("pointer", text),
        *([("value", text)] if shows_values else []),
    ]
    return pa.schema(
        [
            ("id", text),
            ("source", text),
            ("action", text),
            ("fired", texts),
            ("findings", pa.list_(pa.struct(finding))),
            ("unknown", texts),
            ("elapsed_us", pa.float64()),
            ("error", text),
            *([("text", text)] if shows_values else []),
        ]
    )


def _table(rows: list[dict[str, Any]], schema: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:  # half of a surrogate pair, which a column cannot hold
        return pa.Table.from_pylist([sound(row) for row in rows], schema=schema)


def sound(value: Any) -> Any:
    """Plain data whose texts are Unicode: what is no character of it is spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [sound(one) for one in value]
    if isinstance(value, dict):
        return {key: sound(one) for key, one in value.items()}
    return value
