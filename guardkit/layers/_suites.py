"""The cases of probes: families that ship, and case files of one's own. Broken rows are told of."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple, cast

from guardkit.diagnostics import nearest, visible
from guardkit.errors import UsageError
from guardkit.types import SURFACES, Surface

Expect = Literal["refuse", "answer"]

SHIPPED: Final = Path(__file__).parent / "suites"
MOST_LINE: Final = 4 << 20
"""Bytes of one line of a case file."""
MOST_CASES: Final = 100_000
_ON: Final = frozenset(SURFACES) - {"conversation"}

FAMILIES: Final[Mapping[str, str]] = {
    "direct_injection": "a user's orders to leave the operator's rules",
    "indirect_retrieved": "the same in pages, mails and files",
    "indirect_tool": "the same in what a tool gave back",
    "roleplay_jailbreak": "characters, games and stories that have no rules",
    "many_shot": "faked examples of a model that obeyed",
    "payload_splitting": "an order in pieces, over turns or glued together",
    "prompt_extraction": "attempts to read the system prompt",
    "exfiltration": "links, images and forms that carry data away",
    "obfuscation": "foreign alphabets, emoji, word games, codes",
    "multilingual": "orders in many languages",
    "tool_abuse": "tool calls that do damage, and demands for them",
    "pii_extraction": "asking for other people's data, and giving it",
    "harmful_requests": "short requests for harm, by category",
    "persuasion": "authority, urgency, flattery, pity, excuses",
    "policy_puppetry": "faked configurations and system messages",
    "lookalike_injection": "benign: about prompts, rules and role-play",
    "lookalike_harm": "benign: words of harm in harmless use",
    "lookalike_tools": "benign: ordinary tool calls and results",
    "lookalike_documents": "benign: documents full of imperatives",
    "lookalike_personal": "benign: one's own data, numbers like cards",
    "lookalike_multilingual": "benign: in many languages",
    "lookalike_encoded": "benign: codes, hashes, emoji, mixed scripts",
    "everyday": "benign: plain requests",
}
"""What each family that ships is."""


@dataclass(frozen=True, slots=True)
class ProbeCase:
    """One case: what is said, and whether a deployment ought to refuse it. Its repr shows none."""

    id: str
    family: str
    expect: Expect
    on: Surface = "input"
    text: str = field(default="", repr=False)
    """What stands on the surface; of a tool call, its arguments as JSON."""
    turns: tuple[str, ...] = field(default=(), repr=False)
    """What the user said before, turn by turn."""
    ask: str = field(default="", repr=False)
    """What the user says, where the text is not the user's."""
    tool: str = ""
    marker: str = field(default="", repr=False)
    """Stands in the reply only if the attack worked."""
    category: str = ""
    lang: str = ""

    @property
    def is_attack(self) -> bool:
        """Whether it ought to be refused."""
        return self.expect == "refuse"


class BrokenCase(NamedTuple):
    """A row that is no case. It quotes nothing of the row."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


class Family(NamedTuple):
    """A family that ships."""

    name: str
    attacks: int
    benign: int
    about: str


class Suite(NamedTuple):
    """All cases of a run, in order, and the rows that are none."""

    cases: tuple[ProbeCase, ...]
    broken: tuple[BrokenCase, ...]

    @property
    def digest(self) -> str:
        """The same for the same cases in the same order."""
        made = sha256()
        for case in self.cases:
            made.update(json.dumps(plain_case(case), sort_keys=True).encode())
        return f"sha256:{made.hexdigest()}"


def shipped_families(folder: Path = SHIPPED) -> tuple[Family, ...]:
    """The families that ship, with their counts."""
    found = []
    for name in _names(folder):
        suite = load_suite((name,), folder=folder)
        attacks = sum(case.is_attack for case in suite.cases)
        about = FAMILIES.get(name, "")
        found.append(Family(name, attacks, len(suite.cases) - attacks, about))
    return tuple(found)


def load_suite(
    families: Sequence[str] = (), files: Sequence[Path] = (), *, folder: Path = SHIPPED
) -> Suite:
    """The cases of some families and files.

    Args:
        families: Those that ship, by name; all of them where neither they nor files are named.
        files: JSONL, plain or `.gz`, in the format of the suites, or plain case files with `text`,
            `on` and `label`, where 1 means that it ought to be refused.
        folder: Where the families that ship lie.

    Raises:
        UsageError: A family is not known, or a file cannot be read.
    """
    known = _names(folder)
    for name in families:
        if name not in known:
            near = nearest(name, known)
            advice = f"; did you mean `{near}`?" if near else ""
            raise UsageError(f"no family is called `{visible(name)}`{advice}")
    wanted = dict.fromkeys(families) if families or files else known
    paths = [*(folder / f"{name}.jsonl" for name in wanted), *files]
    cases: list[ProbeCase] = []
    broken: list[BrokenCase] = []
    seen: set[str] = set()
    for path in paths:
        for line, row in _read(path):
            made = _case(row, path, line)
            if isinstance(made, ProbeCase) and made.id in seen:
                made = "its `id` was there before"
            if isinstance(made, str):
                broken.append(BrokenCase(visible(path.name), line, made))
                continue
            if len(cases) == MOST_CASES:
                raise UsageError(f"there are more than {MOST_CASES:,} cases")
            seen.add(made.id)
            cases.append(made)
    return Suite(tuple(cases), tuple(broken))


def plain_case(case: ProbeCase) -> dict[str, Any]:
    """A case as JSON has it, for another process; `case_of_plain` is the way back."""
    return {
        "id": case.id,
        "family": case.family,
        "expect": case.expect,
        "on": case.on,
        "text": case.text,
        "turns": list(case.turns),
        "ask": case.ask,
        "tool": case.tool,
        "marker": case.marker,
        "category": case.category,
        "lang": case.lang,
    }


def case_of_plain(row: Mapping[str, Any]) -> ProbeCase:
    """The case that `plain_case` wrote down."""
    return ProbeCase(**{**row, "turns": tuple(row["turns"])})


def _names(folder: Path) -> tuple[str, ...]:
    """The families by name: attacks in the order of `FAMILIES`, then what else lies there."""
    there = {path.stem for path in folder.glob("*.jsonl")}
    return (*(name for name in FAMILIES if name in there), *sorted(there - FAMILIES.keys()))


# --- rows


def _read(path: Path) -> Iterator[tuple[int, object]]:
    """Rows and their lines; a text in place of a row says why there is none."""
    shown = visible(path.as_posix())
    try:
        with path.open("rb") as file:
            packed = path.name.endswith(".gz")
            lines = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
            for number, line in enumerate(iter(lambda: lines.readline(MOST_LINE + 1), b""), 1):
                if len(line) > MOST_LINE:
                    raise UsageError(f"`{shown}` line {number} is longer than {MOST_LINE >> 20} MB")
                if line.strip():
                    yield number, _parsed(number, line)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError(f"`{shown}` is no whole gzip file") from None
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise UsageError(f"`{shown}` cannot be read: {why}") from None


def _parsed(number: int, line: bytes) -> object:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except (ValueError, RecursionError):
        return "it is not JSON"
    return row if isinstance(row, dict) else "it is no object"


def _case(row: object, path: Path, line: int) -> ProbeCase | str:
    """The case of a row, or why it is none."""
    if not isinstance(row, dict):
        return str(row)
    stem = path.name.split(".")[0]
    for name in ("id", "family", "ask", "tool", "marker", "category", "lang"):
        if not isinstance(row.get(name, ""), str):
            return f"`{name}` is no text"
    expect = _expect(row)
    if expect is None:
        return 'neither `expect` ("refuse", "answer") nor `label` (1, 0) says what is expected'
    on = row.get("on") or "input"
    if not isinstance(on, str) or on not in _ON:
        return "`on` names no surface"
    said = _said(row, on)
    if isinstance(said, str):
        return said
    if row.get("marker") and len(row["marker"]) < 4:
        return "`marker` is too short to stand for anything"
    return ProbeCase(
        row.get("id") or f"{stem}/{line:03}",
        row.get("family") or stem,
        expect,
        on,
        said[-1],
        tuple(said[:-1]),
        row.get("ask", ""),
        row.get("tool", ""),
        row.get("marker", ""),
        row.get("category", ""),
        row.get("lang", ""),
    )


def _expect(row: Mapping[str, Any]) -> Expect | None:
    match row.get("expect"):
        case "refuse":
            return "refuse"
        case "answer":
            return "answer"
        case None:
            label = row.get("label")
            if isinstance(label, int | float) and label in (0, 1):
                return "refuse" if label else "answer"
    return None


def _said(row: Mapping[str, Any], on: str) -> list[str] | str:
    """What is said, turn by turn, or why that cannot be told."""
    given = [name for name in ("arguments", "turns", "text") if row.get(name) is not None]
    if given == ["arguments", "text"]:
        given = ["arguments"]  # the same twice, for readers of plain case files
    if len(given) != 1:
        return "it needs `text`, `turns` or `arguments`" + (", not several" if given else "")
    said = row[given[0]]
    match given[0]:
        case "text":
            return [said] if isinstance(said, str) else "`text` is no text"
        case "turns":
            if on != "input":
                return "`turns` are the user's: `on` has to be `input`"
            if not isinstance(said, list) or not said or not _are_texts(said):
                return "`turns` are no list of texts"
            return said
        case _:
            if on != "tool_call" or not isinstance(said, dict):
                return "`arguments` are an object, of a `tool_call`"
            return [json.dumps(said, ensure_ascii=False)]


def _are_texts(found: Iterable[object]) -> bool:
    return all(isinstance(one, str) for one in found)
