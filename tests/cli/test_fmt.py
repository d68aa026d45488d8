"""`guardkit fmt`: in place in one step, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardkit.cli._write import write_atomically  # the promise of `fmt` lies in this function

from ._run import SMALL, guardkit, process

UGLY = SMALL.replace("  tier safety\n", "  tier   safety\n")


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    path = tmp_path / "ugly.guard"
    path.write_text(UGLY, encoding="utf-8")
    return path


def test_a_policy_is_put_into_style(ugly: Path) -> None:
    done = guardkit("fmt", ugly)
    assert (done.code, done.out, done.err) == (0, "", "1 file changed\n")
    formatted = ugly.read_text()
    assert formatted != UGLY
    again = guardkit("fmt", ugly)
    assert (again.code, again.err) == (0, "1 file already in style\n")
    assert ugly.read_text() == formatted


def test_check_writes_nothing(ugly: Path) -> None:
    done = guardkit("fmt", "--check", ugly)
    assert done.code == 1
    assert f"would change {ugly.as_posix()}" in done.err
    assert ugly.read_text() == UGLY
    guardkit("fmt", ugly)
    assert guardkit("fmt", "--check", ugly).code == 0


def test_diff_writes_nothing_and_shows_the_change(ugly: Path) -> None:
    done = guardkit("fmt", "--diff", ugly)
    assert done.code == 1
    assert done.out.startswith(f"--- {ugly.as_posix()}\n+++ ")
    assert "-  tier   safety\n+  tier safety\n" in done.out
    assert ugly.read_text() == UGLY


def test_stdin_goes_to_stdout(ugly: Path) -> None:
    done = guardkit("fmt", "-", input=UGLY)
    assert (done.code, done.err) == (0, "")
    guardkit("fmt", ugly)
    assert done.out == ugly.read_text()
    assert guardkit("fmt", "-", "--check", input=UGLY).code == 1
    assert guardkit("fmt", "-", "--check", input=UGLY).out == ""
    assert guardkit("fmt", "-", "--check", input=done.out).code == 0
    assert guardkit("fmt", "-", "--diff", input=UGLY).out.startswith("--- <stdin>")


def test_stdin_stands_alone(ugly: Path) -> None:
    assert guardkit("fmt", "-", ugly, input="").code == 2


@pytest.mark.parametrize("text", [b"guardkit 1\npolicy x\nrule r { on }\n", b"", b"\xff\xfe\x00g"])
def test_what_does_not_parse_is_told_and_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "broken.guard"
    path.write_bytes(text)
    done = guardkit("fmt", path)
    assert done.code == 2
    assert "error[GK1" in done.err
    assert path.read_bytes() == text
    piped = guardkit("fmt", "-", input=text)
    assert (piped.code, piped.out) == (2, "")
    assert "<stdin>" in piped.err


def test_a_broken_file_does_not_stop_the_others(tmp_path: Path, ugly: Path) -> None:
    (tmp_path / "a.guard").write_text("guardkit 1\npolicy x\nrule {\n")
    done = guardkit("fmt", tmp_path)
    assert done.code == 2
    assert "1 file changed" in done.err
    assert ugly.read_text() != UGLY


def test_line_breaks_and_marks_are_put_into_style(tmp_path: Path, ugly: Path) -> None:
    guardkit("fmt", ugly)
    path = tmp_path / "windows.guard"
    path.write_bytes(b"\xef\xbb\xbf" + ugly.read_bytes().replace(b"\n", b"\r\n"))
    assert guardkit("fmt", path).err == "1 file changed\n"
    assert path.read_bytes() == ugly.read_bytes()


# --- one step, or nothing


def test_the_mode_is_kept_and_nothing_else_is_left(ugly: Path) -> None:
    ugly.chmod(0o640)
    guardkit("fmt", ugly)
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in ugly.parent.iterdir()] == ["ugly.guard"]


def test_a_link_stays_a_link(tmp_path: Path, ugly: Path) -> None:
    link = tmp_path / "link.guard"
    link.symlink_to(ugly)
    guardkit("fmt", link)
    assert link.is_symlink()
    assert ugly.read_text() != UGLY


def test_a_failed_write_changes_nothing(ugly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    done = guardkit("fmt", ugly)
    assert done.code == 2
    assert "cannot be written: no space left on device" in done.err
    assert ugly.read_text() == UGLY
    assert [path.name for path in ugly.parent.iterdir()] == ["ugly.guard"]


def test_an_interrupted_write_changes_nothing(ugly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(ugly, b"half")
    assert ugly.read_text() == UGLY
    assert [path.name for path in ugly.parent.iterdir()] == ["ugly.guard"]


def test_a_new_file_gets_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    write_atomically(tmp_path / "new", b"text")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_bytes_survive_a_pipe() -> None:
    text = SMALL.replace("No greetings", "Pas de « bonjour » – 你好")
    done = process("fmt", "-", input=text.encode())
    assert "« bonjour » – 你好" in done.out
    ascii_only = process("fmt", "-", input=text.encode(), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ascii_only.out == done.out


def test_an_empty_name_is_not_the_current_folder() -> None:
    done = guardkit("fmt", "")
    assert done.code == 2
    assert "FILE is empty" in done.err


def test_a_file_that_cannot_be_formatted_is_not_counted_as_in_style(tmp_path: Path) -> None:
    path = tmp_path / "empty.guard"
    path.write_text("", encoding="utf-8")
    assert "in style" not in guardkit("fmt", str(path)).err
