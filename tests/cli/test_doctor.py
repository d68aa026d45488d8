"""`guardkit doctor`: what it finds on machines that are well, and on some that are not."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import guardkit as package
from tests.shared._server import KEY, redis_server

from ._run import ROOT, SMALL, START, guardkit, plain


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GUARDKIT_REDIS", raising=False)
    folder = tmp_path / "policies"
    folder.mkdir(mode=0o755)
    path = folder / "small.guard"
    path.write_text(SMALL, encoding="utf-8")
    path.chmod(0o644)
    return tmp_path


def found(*arguments: str, code: int = 0, **env: str) -> dict[str, list[dict[str, Any]]]:
    """What is found, by name."""
    done = guardkit("doctor", "--format", "json", *arguments, **env)
    assert done.code == code, done.out + done.err
    said = json.loads(done.out)
    assert said["is_sound"] == (code == 0)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in said["found"]:
        assert set(one) == {"name", "state", "said", "fix"}
        by_name.setdefault(one["name"], []).append(one)
    return by_name


# --- a machine that is well


def test_this_machine_is_well(here: Path) -> None:
    said = found()
    for name in ("python", "guardkit", "needed", "grammar", "policies", "patterns", "files"):
        (one,) = said[name]
        assert (one["state"], one["fix"]) == ("ok", ""), one
    assert said["guardkit"][0]["said"] == package.__version__
    assert said["files"][0]["said"] == "1 policy, 2 files: only their owner may write them"
    assert "redis" not in said


def test_it_fits_a_terminal_and_says_how_it_ends(here: Path) -> None:
    for width in (60, 80):
        done = guardkit("doctor", COLUMNS=str(width))
        assert done.code == 0
        assert max(map(len, done.out.splitlines())) <= width
        assert done.err.endswith("nothing is wrong\n")
    assert guardkit("doctor", "--quiet").out == ""


def test_the_device_is_one_that_was_tried(here: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    said = found()
    assert runtime.__version__ in said["onnxruntime"][0]["said"]
    (device,) = said["device"]
    listed = {one.ep_name for one in runtime.get_ep_devices()}
    if "CUDAExecutionProvider" not in listed:
        assert "models run on the CPU (CPUExecutionProvider CPU" in device["said"]


# --- packages


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of packages that stands before all others."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def installed(site: Path, name: str, version: str, *lines: str) -> None:
    """What an installer leaves of a package: who reads versions reads this."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
    (folder / "METADATA").write_text(text + "\n", encoding="utf-8")


def examined(site: Path, cwd: Path, code: int) -> dict[str, dict[str, Any]]:
    """What is found by a process that sees these packages first."""
    done = subprocess.run(
        [*START, "doctor", "--format", "json"],
        cwd=cwd,
        env=plain({"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["found"]}


def test_two_runtimes_that_overwrite_each_other(here: Path, site: Path) -> None:
    installed(site, "onnxruntime", "1.31.1")
    installed(site, "onnxruntime-gpu", "1.30.0")
    one = examined(site, here, 1)["onnxruntime"]
    assert one["state"] == "wrong"
    assert one["said"].startswith("both onnxruntime 1.31.1 and onnxruntime-gpu 1.30.0 are")
    assert one["fix"].startswith("python -m pip uninstall -y onnxruntime onnxruntime-gpu, then ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "raise ImportError",
        "import os; os.abort()",
        "print('{}'); raise SystemExit(1)",
        "import nowhere",
    ],
)
def test_a_runtime_that_is_broken(here: Path, site: Path, text: str) -> None:
    installed(site, "onnxruntime", "1.31.1")
    (site / "onnxruntime.py").write_text(text, encoding="utf-8")
    one = examined(site, here, 1)["onnxruntime"]
    assert (one["state"], one["said"]) == ("wrong", "onnxruntime 1.31.1 is broken")


LYING = """
import importlib, pathlib, sys

here = str(pathlib.Path(__file__).parent)
sys.path.remove(here)
del sys.modules["onnxruntime"]
real = importlib.import_module("onnxruntime")
sys.path.insert(0, here)
compiled = ["CUDAExecutionProvider", "CPUExecutionProvider"]
real.get_available_providers = lambda: compiled
"""
LISTED = """
class Listed:
    ep_name = "CUDAExecutionProvider"
    class device:
        class type:
            name = "GPU"
real.get_ep_devices = lambda: [Listed]
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [(LYING, "no GPU can be used"), (LYING + LISTED, "ONNX Runtime fell back to the CPU")],
)
def test_a_gpu_is_believed_when_a_model_ran_there(
    here: Path, site: Path, text: str, why: str
) -> None:
    """The real runtime, which says of itself what `onnxruntime-gpu` says on any machine."""
    runtime = pytest.importorskip("onnxruntime")
    listed = {one.ep_name for one in runtime.get_ep_devices()}
    if "CUDAExecutionProvider" in listed:
        pytest.skip("platform: there is a GPU")
    installed(site, "onnxruntime", runtime.__version__)
    (site / "onnxruntime.py").write_text(text, encoding="utf-8")
    one = examined(site, here, 0)["device"]
    assert one["state"] == "note"
    assert one["said"].startswith("models run on the CPU")
    assert why in one["said"]


def test_a_copy_that_hides_another(here: Path, site: Path) -> None:
    installed(site, "guardkit", "0.0.1")
    one = examined(site, here, 1)["guardkit"]
    assert one["said"].startswith(f"{package.__version__} runs and 0.0.1 is installed")


def test_what_is_missing_and_what_is_old(here: Path, site: Path) -> None:
    installed(
        site,
        "guardkit",
        package.__version__,
        "Provides-Extra: one",
        "Provides-Extra: two",
        "Provides-Extra: three",
        "Provides-Extra: four",
        "Requires-Dist: click>=8.1",
        "Requires-Dist: guardkit-needs-this>=1",
        "Requires-Dist: guardkit-old>=2.10; extra == 'one'",
        "Requires-Dist: guardkit-new[x]>=2.10; extra == 'two'",
        "Requires-Dist: guardkit-gone>=1; extra == 'two'",
        "Requires-Dist: guardkit-gone>=1; extra == 'three'",
        "Requires-Dist: guardkit-even>=2.0.0; extra == 'four'",
    )
    installed(site, "guardkit-old", "2.9.9")
    installed(site, "guardkit-new", "2.10rc1")
    installed(site, "guardkit-even", "2")
    said = examined(site, here, 1)
    assert said["needed"]["said"] == "guardkit-needs-this is missing"
    assert said["extra one"]["said"] == "guardkit-old 2.9.9 is older than 2.10"
    assert said["extra one"]["fix"] == "python -m pip install --upgrade 'guardkit[one]'"
    assert said["extra one"]["state"] == "wrong"
    assert said["extra two"]["said"] == "guardkit-new 2.10rc1; without guardkit-gone"
    assert said["extra two"]["state"] == "note"
    assert said["extras"]["said"] == "not installed: three"
    assert said["extra four"]["state"] == "ok"


# --- the grammar


def test_stale_tables_are_said(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.syntax import _tables

    stale = tmp_path / "tables.json"
    stale.write_text(_tables.TABLES.read_text(encoding="utf-8").replace('"', " ", 1))
    monkeypatch.setattr(_tables, "TABLES", stale)
    (one,) = found()["grammar"]
    assert (one["state"], one["fix"]) == ("note", "python -m guardkit.syntax")


# --- files


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="platform: no permissions of this kind")
def test_files_that_others_may_write(here: Path) -> None:
    words = here / "policies" / "words.txt"
    words.write_text("x")
    words.chmod(0o666)
    one, *more = found(code=1)["files"]
    assert not more
    assert one["said"] == "everybody may write `policies/words.txt`"
    subprocess.run(["/bin/sh", "-c", one["fix"]], check=True, timeout=10)
    assert stat.S_IMODE(words.stat().st_mode) == 0o664
    assert found()["files"][0]["state"] in ("ok", "note")
    words.chmod(0o600)
    (here / "policies").chmod(0o777)
    assert found(code=1)["files"][0]["said"] == "everybody may write `policies`"
    (here / "policies").chmod(0o1777)
    assert found()["files"][0]["state"] == "ok"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="platform: no permissions of this kind")
def test_a_name_is_safe_to_read_and_to_type(here: Path) -> None:
    odd = here / "policies" / "a $(touch owned) \x1b[31m.txt"
    odd.write_text("x")
    odd.chmod(0o666)
    done = guardkit("doctor")
    assert done.code == 1
    assert "\x1b" not in done.out
    fix = found(code=1)["files"][0]["fix"]
    subprocess.run(["/bin/sh", "-c", fix], check=False, timeout=10, capture_output=True)
    assert not (here / "owned").exists()


def test_what_is_named_has_to_be_there(here: Path) -> None:
    done = guardkit("doctor", "none.guard")
    assert done.code == 1
    assert "`none.guard` cannot be read: no such file" in " ".join(done.out.split())
    (here / "empty").mkdir()
    assert "there is no policy" in guardkit("doctor", "empty").err
    assert guardkit("doctor", "empty").code == 1


# --- Redis


def test_redis_is_asked_and_its_address_is_not_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDKIT_STATE_KEY", KEY.hex())
    with redis_server() as server:
        address = server.url.replace("//", "//:hunter2hunter2@")
        (one,) = found("--redis", server.url)["redis"]
        assert one["state"] == "ok"
        assert found(GUARDKIT_REDIS=server.url)["redis"] == [one]
        monkeypatch.delenv("GUARDKIT_STATE_KEY")
        (one,) = found("--redis", server.url, code=1)["redis"]
        assert "GUARDKIT_STATE_KEY" in one["said"]
        monkeypatch.setenv("GUARDKIT_STATE_KEY", KEY.hex())
        server.kill()
        for url in (server.url, address):
            done = guardkit("doctor", "--redis", url)
            assert done.code == 1
            assert "cannot be reached" in done.out
            assert "hunter2" not in done.out + done.err
            assert str(server.port) not in done.out + done.err
    for wrong in ("http://user:hunter2@x.example", "nonsense"):
        done = guardkit("doctor", "--redis", wrong)
        assert done.code == 1
        assert "hunter2" not in done.out + done.err


def test_python_is_the_one_that_runs(here: Path) -> None:
    assert sys.version.split()[0] in found()["python"][0]["said"]


# --- the clock, the port, the lock of a store


def test_a_clock_before_the_installation_is_wrong() -> None:
    from guardkit.cli._doctor_place import clock

    assert clock().state == "ok"
    day = 86_400.0
    assert clock(now=100 * day, installed=100.5 * day).state == "ok"
    wrong = clock(now=100 * day, installed=130 * day)
    assert (wrong.state, wrong.said) == (
        "wrong",
        "it stands 30 days before guardkit was installed",
    )
    assert wrong.fix.startswith("set it: ")
    assert clock(now=5e9, installed=100 * day).state == "wrong"


def test_a_port_that_is_taken(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.cli import _doctor_place

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        (one,) = found("--port", str(number), code=1)["port"]
        assert one["state"] == "wrong"
        assert one["said"] == f"something listens at 127.0.0.1:{number} already"
        assert f"--port {number + 1}" in one["fix"]
        # The usual port is only a note, where nobody asked for it.
        monkeypatch.setattr(_doctor_place, "PORT", number)
        assert _doctor_place.port(None).state == "note"
    free = _doctor_place.port(number)
    assert (free.state, free.said) == ("ok", f"{number} is free for `guardkit serve`")


def test_a_lock_that_nobody_gives_back(here: Path, tmp_path: Path) -> None:
    from guardkit.cli._doctor_place import lock
    from guardkit.packs import Store

    store = tmp_path / "store"
    Store.create(store)
    assert lock(store).state == "ok"
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, time\nfrom guardkit._util.locking import locked\n"
            "with locked(pathlib.Path(sys.argv[1]), patience_s=1):\n"
            "    print('held', flush=True)\n    time.sleep(60)",
            str(store / ".lock"),
        ],
        stdout=subprocess.PIPE,
        env=plain(),
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (one,) = found("--packs", str(store), code=1)["packs"]
        assert "another process holds the lock" in one["said"]
        assert one["fix"].startswith("`fuser ")
        holder.kill()
        holder.wait(timeout=20)
    # The file is as old as ever, and means nothing without its holder.
    assert (store / ".lock").exists()
    assert lock(store).state == "ok"
    for nothing in (tmp_path / "none", tmp_path / "policies"):
        assert lock(nothing).said.endswith("is no store of packs")


# --- policies that cannot be used here


def test_a_policy_that_does_not_compile(here: Path) -> None:
    from guardkit.cli._doctor_files import readable

    path = here / "policies" / "small.guard"
    path.write_text(SMALL.replace("when greeting", "when greting"), encoding="utf-8")
    one = found(code=1)["files"][0]
    assert one["said"] == "`policies/small.guard` does not compile"
    assert one["fix"] == "guardkit check policies/small.guard"
    path.write_bytes(b"\xff\xfe")
    (unread,) = readable([path], binds=False)
    assert unread.said == "`policies/small.guard` does not compile"


# What a machine looks like where nobody installed a runtime.
BARE = """
import importlib.metadata as metadata
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Nowhere())
real = metadata.Distribution.from_name.__func__

def from_name(cls, name):
    if name.startswith("onnxruntime"):
        raise metadata.PackageNotFoundError(name)
    return real(cls, name)

metadata.Distribution.from_name = classmethod(from_name)
"""


def test_an_extra_that_a_check_needs(here: Path, site: Path) -> None:
    (site / "sitecustomize.py").write_text(BARE, encoding="utf-8")
    (here / "policies" / "needs.guard").write_text(
        SMALL.replace("policy small", "policy needs")
        + 'use "std/injection" version "1" as injection\napply injection.stop\n',
        encoding="utf-8",
    )
    done = subprocess.run(
        [*START, "doctor", "--format", "json"],
        cwd=here,
        env=plain({"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)["found"]
    assert {x["state"] for x in said if x["name"] == "onnxruntime"} == {"note"}
    # One of two policies needs it, and it alone is wrong.
    (one,) = [x for x in said if x["state"] == "wrong"]
    assert one["said"].startswith("`policies/needs.guard`: ")
    assert "guardkit[cpu]" in one["said"]


def test_an_old_python_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.cli import _doctor_found

    monkeypatch.setattr(_doctor_found, "_OLDEST", (99, 0))
    one = _doctor_found.python()
    assert (one.state, one.fix) == ("wrong", "guardkit needs Python 3.11 or newer")
