"""A virtual environment for each peer under `.venvs/peers/`, with the versions named here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENVS = ROOT / ".venvs" / "peers"
RE2 = "google-re2==1.1.20251105"
TORCH = "torch==2.13.0"
"""Before the packages that need any torch, so that a CPU build can be had where pip knows one."""
LIMIT_S = 1800.0
QUIET = {
    "DO_NOT_TRACK": "1",
    "NEMO_GUARDRAILS_NO_USAGE_STATS": "1",
    "OTEL_SDK_DISABLED": "true",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TOGETHER_API_KEY": "none",
}
"""Nobody reports home or asks a hub while measured; the key stands in for one nobody asks for."""
# What points at the environment of the caller.
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class MakeError(Exception):
    """An environment could not be made, and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody whose work is measured."""

    name: str
    script: str
    packages: tuple[str, ...]
    lacks: tuple[tuple[str, str], ...] = ()
    """Work that it cannot be asked for, and why. A peer without a script is a proxy only."""

    @property
    def requirements(self) -> tuple[str, ...]:
        return (RE2, *self.packages)

    @property
    def python(self) -> Path:
        """The interpreter of its environment; guardkit has that of the caller."""
        if self.name == "guardkit":
            return Path(sys.executable)
        return VENVS / self.name / ("Scripts" if os.name == "nt" else "bin") / "python"


_NO_STREAM = ("stream", "it has no streaming mode")
_NO_MODEL = ("classify", "its classifiers run on torch, and take no ONNX file")
PEERS = (
    Peer("guardkit", "_guardkit.py", ()),
    Peer(
        "nemoguardrails",
        "_nemo.py",
        ("nemoguardrails[server]==0.24.1",),
        (("redact", "its rail that masks needs a spaCy model that pip does not have"), _NO_MODEL),
    ),
    Peer(
        "guardrails-ai",
        "_guardrails_ai.py",
        ("guardrails-ai==0.11.0",),
        (("classify", "validators with models come from its hub only"),),
    ),
    Peer("llm-guard", "_llm_guard.py", (TORCH, "llm-guard[onnxruntime]==0.3.16"), (_NO_STREAM,)),
    Peer(
        "openai-guardrails",
        "_openai_guardrails.py",
        ("openai-guardrails==0.3.6",),
        (
            ("redact", "masks PII only, with a spaCy model that pip does not have"),
            ("classify", "its classifiers are calls to a hosted model"),
        ),
    ),
    Peer(
        "presidio",
        "_presidio.py",
        ("presidio-analyzer==2.2.366", "presidio-anonymizer==2.2.366"),
        (_NO_STREAM, ("classify", "it has no text classifier")),
    ),
    Peer(
        "invariant-ai",
        "_invariant.py",
        ("invariant-ai==0.3.5",),
        (_NO_STREAM, ("redact", "it finds, and rewrites nothing"), _NO_MODEL),
    ),
    Peer(
        "llamafirewall",
        "_llamafirewall.py",
        (TORCH, "llamafirewall==1.0.3"),
        (
            _NO_STREAM,
            ("redact", "it stops, and rewrites nothing"),
            ("classify", "its classifier is a gated model, which takes a hub account"),
        ),
    ),
    Peer("litellm", "", ("litellm[proxy]==1.106.2",)),
)


def pinned(peer: Peer) -> dict[str, str]:
    """The versions that an environment was asked for, of the packages that are named."""
    parts = (package.partition("==") for package in peer.packages)
    return {name.partition("[")[0]: number for name, _, number in parts}


def made(peer: Peer) -> Path:
    """The interpreter of an environment; it is made anew where its requirements have changed.

    Raises:
        MakeError: pip said no.
    """
    if peer.name == "guardkit":
        return peer.python
    folder = VENVS / peer.name
    stamp, wanted = folder / "requirements.txt", "\n".join((sys.version, *peer.requirements))
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return peer.python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    options = ("--quiet", "--no-input", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip", "--python", str(peer.python), "install", *options]
    try:
        done = subprocess.run(
            [*pip, *peer.requirements],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MakeError(f"pip took longer than {LIMIT_S:g} seconds") from error
    if done.returncode != 0:
        raise MakeError(f"pip ended with status {done.returncode}: {done.stdout[-2000:]}")
    # Last of all, so that half an environment is never kept.
    stamp.write_text(wanted, encoding="utf-8")
    return peer.python


def variables(peer: Peer) -> dict[str, str]:
    """The environment variables of a worker; only guardkit's sees this repository."""
    kept = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    if peer.name == "guardkit":
        return kept | QUIET | {"PYTHONPATH": str(ROOT)}
    home = VENVS / "home"
    home.mkdir(parents=True, exist_ok=True)
    # Where guardrails-ai reads that it should not report home.
    (home / ".guardrailsrc").write_text("enable_metrics=false\n", encoding="utf-8")
    return kept | QUIET | {"HOME": str(home)}
