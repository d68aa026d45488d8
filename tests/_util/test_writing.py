"""Files are whole or not there; one process at a time holds a lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from guardkit._util.locking import locked
from guardkit._util.writing import write_atomically, write_new


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")
    os.chmod(path, 0o640)
    write_atomically(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write_atomically(tmp_path / "b.txt", b"three", mode=0o600)
    assert stat.S_IMODE((tmp_path / "b.txt").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    with pytest.raises(OSError, match="no space"):
        write_new(tmp_path / "b.txt", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_new_file_is_new(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"secret", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for there in (path, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            write_new(there, b"another")
    assert path.read_bytes() == b"secret"
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, patience_s=0), pytest.raises(TimeoutError), locked(path, patience_s=0.05):
        pass
    with locked(path, patience_s=0):
        pass


def test_who_waits_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path, patience_s=0):
            is_held.set()
            may_end.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(20)
    threading.Timer(0.1, may_end.set).start()
    with locked(path, patience_s=20):
        assert may_end.is_set()
    holder.join()


HOLDS = """
import os, sys
from pathlib import Path
from guardkit._util.locking import locked
with locked(Path(sys.argv[1]), patience_s=0):
    print("held", flush=True)
    os.read(0, 1)
    os._exit(9)
"""


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError), locked(path, patience_s=0):
            pass
        holder.communicate("x", timeout=20)
        assert holder.returncode == 9
    with locked(path, patience_s=0):
        pass
