"""How far a run is: on one line of a terminal, which is taken back, and nowhere else."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import pytest

from guardkit.cli._moving_line import MovingLine, bar
from guardkit.cli._screen import Screen, open_screen


def made(*, progress: bool, environment: Mapping[str, str] | None = None) -> Screen:
    show = open_screen(environment or {})
    show.progress = progress
    show.err.file = io.StringIO()
    show.err.width = 40
    return show


def written(show: Screen) -> str:
    assert isinstance(show.err.file, io.StringIO)
    return show.err.file.getvalue()


def test_a_bar() -> None:
    assert bar(0) == f"[{'.' * 24}]"
    assert bar(0.5) == f"[{'#' * 12}{'.' * 12}]"
    assert bar(1) == f"[{'#' * 24}]"
    assert len({len(bar(part)) for part in (-1, 0.01, 0.99, 2)}) == 1


def test_nothing_is_left_of_a_line() -> None:
    show = made(progress=True)
    line = MovingLine(show)
    for text in ("a long line of words", "short", "x" * 99):
        line.tell(text)
    line.clear()
    said = written(show)
    line.clear()
    assert written(show) == said
    screen = [" "] * 40
    for piece in re.findall(r"\r([^\r]*)", said):
        assert len(piece) < 40
        screen[: len(piece)] = piece
    assert not "".join(screen).strip()
    assert said.endswith("\r")


def test_it_waits_between_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("guardkit.cli._moving_line.monotonic", lambda: now[0])
    line = MovingLine(made(progress=True))
    due = [line.is_due]
    line.tell("one")
    due.append(line.is_due)
    now[0] += 0.2
    due.append(line.is_due)
    assert due == [True, False, True]


def test_where_nobody_sees_it_nothing_is_written() -> None:
    show = made(progress=False)
    line = MovingLine(show)
    assert not line.is_due
    line.tell("one")
    line.clear()
    assert written(show) == ""
