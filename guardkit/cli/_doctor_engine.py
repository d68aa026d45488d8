"""Whether what judges works here: the grammar, the patterns, the models, processes, Redis."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Final

from guardkit.errors import BindError, CheckError, UsageError

from ._doctor_found import Found

RUNTIMES: Final = ("onnxruntime", "onnxruntime-gpu")
"""Distributions that bring one and the same module."""
_CUDA: Final = "CUDAExecutionProvider"
_PATIENCE_S: Final = 60

# In a process of its own: a broken runtime may end it, and its libraries print as they like.
_ASK = """
import json
import onnxruntime as ort
said = {"version": ort.__version__, "works": hasattr(ort, "InferenceSession")}
if said["works"]:
    said["compiled"] = ort.get_available_providers()
    listed = getattr(ort, "get_ep_devices", list)()
    said["devices"] = sorted({f"{one.ep_name} {one.device.type.name}" for one in listed})
    from guardkit.errors import BindError
    from guardkit.models import opened, shipped
    said["runs"], said["why"] = "", ""
    try:
        said["runs"] = opened(shipped("mini"), device="auto").device
        if "CUDAExecutionProvider" in said["compiled"]:
            said["runs"] = opened(shipped("mini"), device="gpu").device
    except BindError as error:
        said["why"] = "; ".join(error.problems)
print("\\n" + json.dumps(said))
"""


def grammar() -> Found:
    """Whether policies are read by tables that were made of the grammar as it stands."""
    # Imported here: the compiler is loaded for this alone.
    from guardkit.syntax import has_fresh_tables

    try:
        fresh = has_fresh_tables()
    except OSError:
        return Found("grammar", "wrong", "it is missing", "install guardkit anew")
    if fresh:
        return Found("grammar", "ok", "its tables are fresh")
    return Found(
        "grammar",
        "note",
        "its tables are stale: every start makes new ones, which takes half a second",
        "python -m guardkit.syntax",
    )


def shipped_policies() -> Found:
    """Whether the policies and modules that ship are there and compile."""
    from guardkit.guard import compile_file, shipped

    try:
        paths = sorted(shipped("policies").glob("*/*.guard"))
        broken = [path.stem for path in paths if compile_file(path).policy is None]
    except OSError:
        paths, broken = [], []
    if not paths:
        return Found("policies", "wrong", "none ship with this", "install guardkit anew")
    if broken:
        said = f"{', '.join(broken)} does not compile"
        return Found("policies", "wrong", said, "install guardkit anew")
    return Found("policies", "ok", f"{len(paths)} ship, and all compile")


def patterns() -> Found:
    """Whether RE2 finds what it is asked for."""
    try:
        import re2

        found = re2.compile(r"(?i)k\d+").search("a K42")
        if found is None or found.span() != (2, 5):
            raise ImportError
        release = installed_version("google-re2")
    except (ImportError, AttributeError, PackageNotFoundError):
        return Found(
            "patterns",
            "wrong",
            "RE2 does not work",
            "python -m pip install --force-reinstall google-re2",
        )
    return Found("patterns", "ok", f"RE2, google-re2 {release}")


def has_runtime() -> bool:
    """Whether an ONNX Runtime is installed, whatever it is worth."""
    return any(_version_of(name) for name in RUNTIMES)


def models() -> Iterator[Found]:
    """Whether ONNX Runtime is there once, and what it really runs on."""
    there = {name: found for name in RUNTIMES if (found := _version_of(name))}
    if len(there) > 1:
        shown = " and ".join(f"{name} {found}" for name, found in there.items())
        yield Found(
            "onnxruntime",
            "wrong",
            f"both {shown} are installed: they overwrite each other's files",
            f"python -m pip uninstall -y {' '.join(RUNTIMES)}, then install `guardkit[cpu]` or"
            " `guardkit[gpu]`",
        )
        return
    if not there:
        yield Found(
            "onnxruntime",
            "note",
            "not installed: policies that need the model `mini`, or one of yours, do not bind",
            "python -m pip install 'guardkit[cpu]', or 'guardkit[gpu]'",
        )
        return
    ((name, found),) = there.items()
    said = _asked()
    if said is None or not said["works"]:
        yield Found(
            "onnxruntime",
            "wrong",
            f"{name} {found} is broken",
            f"python -m pip install --force-reinstall {name}=={found}",
        )
        return
    yield Found("onnxruntime", "ok", f"{name} {found}")
    yield _providers(said)


def _providers(said: dict[str, Any]) -> Found:  # Any: JSON
    """What is compiled in says nothing of this machine: devices do, and a model that was opened."""
    devices = ", ".join(said["devices"]) or "no list of devices"
    if said["runs"] == "gpu":
        return Found("device", "ok", f"models run on a GPU ({devices})")
    if said["runs"] != "cpu":
        return Found("device", "wrong", said["why"], "guardkit models verify mini")
    if _CUDA not in said["compiled"]:
        return Found("device", "ok", f"models run on the CPU ({devices})")
    return Found(
        "device",
        "note",
        f"models run on the CPU ({devices}), although CUDA is compiled in: {said['why']}",
        "install the driver and the libraries of CUDA, or `guardkit[cpu]` in place of `[gpu]`",
    )


def _asked() -> dict[str, Any] | None:  # Any: JSON
    # -P: a file of this name in the current folder is not what is asked about.
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, with words of ours
            [sys.executable, "-P", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return None
    return said if done.returncode == 0 else None


def _version_of(name: str) -> str:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return ""


def processes() -> Found:
    """How this interpreter starts processes, and what that means for models."""
    ways = multiprocessing.get_all_start_methods()
    how = multiprocessing.get_start_method(allow_none=True) or ways[0]
    if "fork" not in ways:
        return Found("processes", "note", f"`{how}`: `serve --workers` needs a system that forks")
    if how == "fork":
        said = "`fork`: a model on a GPU has to be opened after a fork, not before"
        return Found("processes", "ok", said)
    return Found("processes", "ok", f"`{how}`")


def redis(url: str) -> Found:
    """Whether shared state can be reached, and has its key. The address is not shown."""
    # Imported here: most deployments are one process.
    import anyio

    from guardkit.shared import Shared

    try:
        shared = Shared(url)
    except (BindError, UsageError) as error:
        return Found("redis", "wrong", _sentence(error))

    async def ping() -> None:
        try:
            await shared.ping()
        finally:
            await shared.aclose()

    try:
        anyio.run(ping)
    except CheckError as error:
        fix = "see that the server runs, and that this machine may reach it"
        return Found("redis", "wrong", _sentence(error), fix)
    return Found("redis", "ok", "it answers, and there is a key to seal with")


def _sentence(error: Exception) -> str:
    problems = getattr(error, "problems", None)
    return "; ".join(problems) if problems else str(error)
