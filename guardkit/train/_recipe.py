"""What the shipped tiers are trained on, and what is kept from them to measure with.

The pack of labelled texts is read from a folder and is no part of this repository; the texts that
were written for this project are (`seeds.jsonl.xz`). Every choice is here: which sources are never
trained on, what a text's kind says about heads it was not labelled for, and how often each task is
drawn.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, Final

from guardkit.errors import UsageError
from guardkit.text import disguise

from ._rows import Row, read_rows
from ._target import Target

SEEDS: Final = Path(__file__).parent / "seeds.jsonl.xz"

CATEGORIES: Final = (
    "violence",
    "weapons",
    "cyber",
    "fraud",
    "drugs",
    "hate",
    "harassment",
    "sexual",
    "sexual_minors",
    "self_harm",
    "privacy",
    "misinformation",
    "illegal",
)
KINDS: Final = ("none", "full", "partial", "deflect")

TARGETS: Final = (
    Target("injection", 0, ("injection",), weight=1.5),
    Target("harm", 1, ("harm",)),
    Target("toxicity", 2, ("toxicity",)),
    Target("refusal", 3, ("refusal",), weight=0.7),
    Target("refusal_kind", 4, KINDS, kind="softmax", weight=0.3),
    Target("harm_category", 8, CATEGORIES, weight=0.6, only_if="harm"),
)
"""The heads of both tiers, by column of their output."""

SHARES: Final = {
    ("injection", 1): 0.25,
    ("injection", 0): 0.26,
    ("long", 0): 0.12,
    ("harm", 1): 0.08,
    ("harm", 0): 0.06,
    ("toxicity", 1): 0.07,
    ("toxicity", 0): 0.06,
    ("refusal", 1): 0.05,
    ("refusal", 0): 0.05,
}
"""How often a text of each task and label is drawn."""

POOL: Final = frozenset(
    {
        "18F/18f.gsa.gov",
        "GITenberg/The-Mind-the-Paint-Girl--13-A-Comedy-in-Four-Acts_21849",
        "PlexPt/awesome-chatgpt-prompts-zh",
        "basecamp/policies",
        "encode/httpx",
        "lm-sys/FastChat",
        "lmarena/arena-hard-auto",
        "mustvlad/ChatGPT-System-Prompts",
        "nginx/nginx.org",
        "reactjs/hi.react.dev",
        "standardebooks/bram-stoker_dracula",
        "surge-ai/toxicity",
        "swcarpentry/shell-novice-es",
        "tobymao/sqlglot",
        "yizhongw/self-instruct",
    }
)
"""The benign pool: prompts, posts, long documents, code and other languages that no model is
trained on. One threshold a head is fixed on it, and used everywhere. Our own look-alikes join it:
one in ten, by a hash."""

HELD: Final = frozenset(
    {
        "Giskard-AI/prompt-injections",
        "NJUNLP/ReNeLLM",
        "NVIDIA/garak",
        "TrustAIRLab/JailbreakLLMs",
        "Vicomtech/hate-speech-dataset",
        "WithSecureLabs/spikee",
        "andyrdt/refusal_direction",
        "aounon/certified-llm-safety",
        "microsoft/TOXIGEN",
        "sherdencooper/GPTFuzz",
        "tldr-pages/tldr",
        "whylabs/langkit",
        "yunwei37/prompt-hacker-collections",
    }
)
"""Whole sources that are left out, to measure on."""

SHORT: Final = 220
"""Characters of what is planted, at most."""
PLANTED: Final = 7_000
"""Attacks that are planted; half as many harmless sentences are."""

OURS: Final = "guardkit"
_PACK: Final = ("injection", "harm", "toxicity", "refusal", "longform")
_HARMLESS: Final = frozenset(
    {
        "code",
        "document",
        "document_question",
        "finance_benign",
        "format_constraint_benign",
        "math",
        "question",
        "utterance",
    }
)
_CODED: Final = frozenset(
    {
        "adversarial_suffix",
        "obfuscated_benign",
        "obfuscation",
        "wrapped_harmful",
    }
)
_LIGHT: Final = (
    "case_chaos",
    "diacritics",
    "homoglyph",
    "leetspeak",
    "letter_spacing",
    "markup_split",
    "newline_hyphen",
    "punct_split",
    "typoglycemia",
    "zero_width",
)
"""Disguises that views undo in part; both labels wear them, so that they say nothing."""


def recipe_rows(pack: Path, seed: int = 7) -> Iterator[tuple[Row, str]]:
    """Every text with what is known of it, and its side: `train`, `held` or `pool`.

    Args:
        pack: The folder of the labelled texts.

    Raises:
        UsageError: A file of it is missing.
    """
    rng = Random(seed)  # noqa: S311 - a shuffle, no secret
    trained: list[Row] = []
    for row in _rows_of(pack, rng):
        side = _side(row)
        if side == "train":
            trained.append(row)
        yield row, side
    for row in planted(trained, rng):
        yield row, "train"


def _rows_of(pack: Path, rng: Random) -> Iterator[Row]:
    for name in _PACK:
        path = pack / f"{name}.jsonl.gz"
        if not path.is_file():
            raise UsageError(f"the pack has no `{path.name}`")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                given = json.loads(line)
                yield from _READ[name](given, given["meta"], rng)
    if SEEDS.is_file():
        yield from read_rows(SEEDS)


def planted(rows: Sequence[Row], rng: Random) -> Iterator[Row]:
    """Short attacks in the middle of long harmless texts, and harmless sentences likewise.

    In a long text an attack is a sentence among hundreds, and an odd sentence alone is no attack.
    """
    hosts = [row for row in rows if "long" in row.truth]
    short = [
        row
        for row in rows
        if row.surface == "input" and len(row.text) < SHORT and not row.part and hosts
    ]
    attacks = [row for row in short if row.truth.get("injection") == 1 and _can_move(row)]
    plain = [row for row in short if row.group.startswith("look-alike prompt")]
    for name, given, count in (("attack", attacks, PLANTED), ("look-alike", plain, PLANTED // 2)):
        for number in range(count if given else 0):
            part, host = rng.choice(given).text, rng.choice(hosts).text
            size = rng.randint(250, 1400)
            start = rng.randint(0, max(0, len(host) - size))
            host = host[start : start + size]
            cut = host.find(" ", rng.randint(0, len(host)))
            cut = len(host) if cut < 0 else cut
            gap = rng.choice((" ", "\n", "\n\n"))
            text = f"{host[:cut]}{gap}{part}{gap}{host[cut:].lstrip()}"
            surface = rng.choice(("retrieved", "retrieved", "tool_result", "input"))
            is_attack = name == "attack"
            group = f"planted {name} {number % 5}"
            truth = {"injection": int(is_attack)}
            yield Row(text, surface, truth, "guardkit-planted", group, part if is_attack else "")


def _can_move(row: Row) -> bool:
    """Whether a text is an attack wherever it stands."""
    return "plain_task" not in row.group and "suffix" not in row.group


def _side(row: Row) -> str:
    if row.source in POOL:
        return "pool"
    if row.source in HELD:
        return "held"
    if not row.source.startswith(OURS):
        return "train"
    if "document " in row.group:
        # All that was made of one document stays together, planted or clean.
        return "pool" if not _nth(row.group.rpartition(" ")[2], 9) else "train"
    if row.group == "look-alike":
        return "pool" if not _nth(row.text[:24], 8) else "train"
    key = row.text[:20] if len(row.text) < 200 else row.text[40:80]
    is_pooled = row.group.startswith("look-alike") and not _nth(key, 10)
    return "pool" if is_pooled else "train"


def _nth(text: str, count: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) % count


# --- one function a file of the pack: what its labels and kinds say


def _injection(given: Any, meta: Any, rng: Random) -> Iterator[Row]:
    label, text, source = given["label"], given["text"], given["source"]
    group = meta.get("family") or meta.get("kind") or "other"
    truth = {"injection": label}
    if group == "plain_harmful":
        truth["harm"] = 1
    elif group in _HARMLESS and not label:
        truth["harm"] = 0
    surface = "input"
    if meta.get("channel") == "document":
        surface = rng.choice(("retrieved", "retrieved", "tool_result"))
    if meta.get("type") == "plain_task":
        # An instruction in a document attacks; typed by the user it is what they want.
        if surface == "input":
            return
        if rng.random() < 0.5:
            yield Row(text, "input", {"injection": 0}, source, "plain_task_of_user")
        group = "plain_task"
    if group == "trigger_word_benign" and source.startswith(OURS):
        group = "look-alike"
    yield Row(text, surface, truth, source, group, meta.get("injected") or "")
    if group not in _CODED and len(text) < 600 and rng.random() < 0.05:
        worn = disguise(rng.choice(_LIGHT), text, rng.randrange(99))
        yield Row(worn, surface, {"injection": label}, source, f"{group} disguised", weight=0.5)


def _harm(given: Any, meta: Any, rng: Random) -> Iterator[Row]:
    truth = {"harm": given["label"]}
    category = meta.get("category")
    if given["label"] and category in CATEGORIES:
        truth["harm_category"] = CATEGORIES.index(category)
    if given["source"] != "mlcommons/ailuminate":  # some of its prompts carry a jailbreak
        truth["injection"] = 0
    yield Row(given["text"], "input", truth, given["source"], meta.get("kind") or "harmful")


def _toxicity(given: Any, meta: Any, rng: Random) -> Iterator[Row]:
    kind = str(meta.get("kind"))
    yield Row(
        given["text"],
        rng.choice(("input", "input", "output", "retrieved")),
        {"toxicity": given["label"], "injection": 0},
        given["source"],
        kind,
        weight=0.6 if kind == "not_sexist" else 1.0,  # it may be toxic in another way
    )


def _refusal(given: Any, meta: Any, rng: Random) -> Iterator[Row]:
    kind = str(meta.get("kind"))
    truth = {"refusal": given["label"], "injection": 0}
    if not given["label"]:
        truth["refusal_kind"] = 0
    elif kind == "partial":
        truth["refusal_kind"] = 2
    elif kind in ("full", "refusal_explanation"):
        truth["refusal_kind"] = 1
    yield Row(given["text"], "output", truth, given["source"], kind)


def _longform(given: Any, meta: Any, rng: Random) -> Iterator[Row]:
    surface = rng.choice(("input", "retrieved", "retrieved", "tool_result", "output"))
    truth = {"long": 0, "injection": 0, "harm": 0}
    if not {"violent", "angry"} & set(meta.get("hard") or ()):
        truth["toxicity"] = 0
    if surface == "output":
        truth |= {"refusal": 0, "refusal_kind": 0}
    source = given["source"]
    weight = 0.3 if source.startswith(OURS) else 1.0
    yield Row(given["text"], surface, truth, source, f"long {meta['kind']}", weight=weight)


_READ: Final = {
    "injection": _injection,
    "harm": _harm,
    "toxicity": _toxicity,
    "refusal": _refusal,
    "longform": _longform,
}
