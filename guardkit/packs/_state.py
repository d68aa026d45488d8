"""What a store remembers: `state.json`, in one spelling, with a digest over itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from ._bundle import NAME, is_version, version_key

Mode = Literal["shadow", "enforce"]

FORMAT = 1
MAX_STATE_BYTES = 4_000_000
MOST_STEPS = 8
"""How many changes of a pack can be rolled back; their bundles stay in the store."""
_HASH = re.compile(r"[0-9a-f]{64}")


class StateError(ValueError):
    """The text is no state."""


class Placed(NamedTuple):
    """One version of a pack, and how it acts."""

    version: str
    sha256: str
    """Of the bundle's file."""
    mode: Mode
    percent: float
    """The share of sessions it is enforced for; the others have it in shadow."""

    @property
    def acts_for_all(self) -> bool:
        return self.mode == "enforce" and self.percent == 100

    @property
    def shown(self) -> str:
        """`shadow`, `enforced`, `enforced for 10 %`."""
        if self.mode == "shadow":
            return "shadow"
        return "enforced" if self.percent == 100 else f"enforced for {self.percent:g} %"


class Setup(NamedTuple):
    """What is installed under one name: nothing, one version, or two while the newer is tried."""

    main: Placed | None = None
    trial: Placed | None = None
    """A newer version, while `main` goes on doing what it did."""

    @property
    def newest(self) -> Placed | None:
        return self.trial or self.main


@dataclass(frozen=True, slots=True)
class Entry:
    """One name: what is installed, what was before, and the newest version there ever was."""

    setup: Setup
    before: tuple[Setup, ...]
    floor: str
    """INVARIANT: never goes down, not even when the pack is removed."""

    def changed(self, setup: Setup) -> Entry:
        """The entry after a change that can be rolled back."""
        return replace(self, setup=setup, before=(*self.before, self.setup)[-MOST_STEPS:])


@dataclass(frozen=True, slots=True)
class State:
    """Everything a store remembers."""

    packs: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))

    def put(self, name: str, entry: Entry) -> State:
        """The state with this entry."""
        return State(MappingProxyType({**self.packs, name: entry}))

    def needed(self) -> frozenset[tuple[str, str]]:
        """Name and version of all that is installed, and of all one could go back to."""
        return frozenset(
            (name, placed.version)
            for name, entry in self.packs.items()
            for setup in (entry.setup, *entry.before)
            for placed in setup
            if placed is not None
        )


def is_newer(version: str, than: str) -> bool:
    """Whether a version comes after another one."""
    return version_key(version) > version_key(than)


def to_text(state: State) -> bytes:
    """The state as the bytes of its file."""
    packs = {name: _entry_data(entry) for name, entry in state.packs.items()}
    return _spelled({"format": FORMAT, "packs": packs, "sha256": _sum(packs)})


def from_text(raw: bytes) -> State:
    """The state in a file; only what `to_text` writes is accepted.

    Raises:
        StateError: It is damaged, or was changed by hand.
    """
    try:
        data = _object(
            json.loads(raw.decode("ascii"), parse_constant=_no_number), "format", "packs", "sha256"
        )
        packs = data["packs"]
        is_whole = (
            type(data["format"]) is int
            and data["format"] == FORMAT
            and isinstance(packs, dict)
            and data["sha256"] == _sum(packs)
            and _spelled(data) == raw
        )
        if not is_whole:
            raise StateError
        return State(MappingProxyType({_name(name): _entry(row) for name, row in packs.items()}))
    except (ValueError, RecursionError):
        raise StateError("it is damaged, or was changed by hand") from None


def _spelled(data: Any) -> bytes:  # Any: whatever JSON can hold
    return json.dumps(data, sort_keys=True, indent=1, allow_nan=False).encode("ascii") + b"\n"


def _sum(packs: Any) -> str:  # Any: as above
    dense = json.dumps(packs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(b"guardkit pack store\n" + dense.encode("ascii")).hexdigest()


def _no_number(_: str) -> None:
    raise StateError


def _entry_data(entry: Entry) -> dict[str, Any]:
    return {
        "before": [_setup_data(setup) for setup in entry.before],
        "floor": entry.floor,
        "setup": _setup_data(entry.setup),
    }


def _setup_data(setup: Setup) -> dict[str, Any]:
    return {"main": _placed_data(setup.main), "trial": _placed_data(setup.trial)}


def _placed_data(placed: Placed | None) -> dict[str, Any] | None:
    return None if placed is None else {**placed._asdict(), "percent": float(placed.percent)}


def _entry(data: object) -> Entry:
    found = _object(data, "before", "floor", "setup")
    before = found["before"]
    if not isinstance(before, list) or len(before) > MOST_STEPS:
        raise StateError
    return Entry(
        _setup(found["setup"]), tuple(_setup(one) for one in before), _version(found["floor"])
    )


def _setup(data: object) -> Setup:
    found = _object(data, "main", "trial")
    if found["main"] is None and found["trial"] is not None:
        raise StateError
    return Setup(_placed(found["main"]), _placed(found["trial"]))


def _placed(data: object) -> Placed | None:
    if data is None:
        return None
    found = _object(data, "mode", "percent", "sha256", "version")
    mode = next((mode for mode in _MODES if mode == found["mode"]), None)
    percent, sha256 = found["percent"], found["sha256"]
    if (
        mode is None
        or type(percent) is not float
        or not is_percent(percent)
        or not isinstance(sha256, str)
        or not _HASH.fullmatch(sha256)
    ):
        raise StateError
    return Placed(_version(found["version"]), sha256, mode, percent)


_MODES: tuple[Mode, ...] = get_args(Mode)


def is_percent(percent: float) -> bool:
    """Whether a share of sessions is one: from 0 to 100, with two decimals at most."""
    return 0 <= percent <= 100 and round(percent, 2) == percent


def _object(data: object, *names: str) -> dict[str, Any]:  # Any: what JSON gave
    if not isinstance(data, dict) or data.keys() != set(names):
        raise StateError
    return data


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise StateError
    return name


def _version(data: object) -> str:
    if not isinstance(data, str) or not is_version(data):
        raise StateError
    return data
