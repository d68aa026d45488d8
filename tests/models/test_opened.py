"""One live model of each directory, device and digest."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import weakref
from pathlib import Path

import pytest

from guardkit.errors import BindError
from guardkit.models import MANIFEST, digest_of, opened

from ._made import injection_dir, sha


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return injection_dir(tmp_path / "model")


def test_a_model_is_open_once(model: Path, tmp_path: Path) -> None:
    first = opened(model, device="cpu")
    assert opened(model, device="cpu") is first
    assert opened(model, device="cpu", digest=first.digest) is first
    shutil.copytree(model, tmp_path / "copy")
    assert opened(tmp_path / "copy", device="cpu") is first
    manifest = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).write_text(json.dumps({**manifest, "version": "2"}), encoding="utf-8")
    second = opened(model, device="cpu")
    assert second is not first
    assert second.digest == digest_of(model) != first.digest


def test_a_model_that_nobody_holds_is_closed(model: Path) -> None:
    held = opened(model, device="cpu")
    seen = weakref.ref(held)
    del held
    gc.collect()
    assert seen() is None


def test_threads_that_ask_at_once_get_one(model: Path) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(opened(model, device="cpu"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_what_is_wrong_is_a_bind_error(model: Path, tmp_path: Path) -> None:
    live = opened(model, device="cpu")
    with pytest.raises(BindError, match="its digest is"):
        opened(model, device="cpu", digest=sha(b""))
    with pytest.raises(BindError, match="there is no device `tpu`"):
        opened(model, device="tpu")
    with pytest.raises(BindError, match="does not exist"):
        opened(tmp_path / "nowhere", device="cpu")
    (model / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(BindError, match="is not JSON"):
        opened(model, device="cpu")
    assert live.manifest.name == "made"
