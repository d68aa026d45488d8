"""Who may call: API keys, the tenants they belong to, and the file that holds both.

The file holds digests, never keys. A key has 256 random bits, so its plain SHA-256 cannot be turned
back by trying: a slow or salted hash makes guessing dearer, and there is nothing here to guess. It
would only make every request dearer. Digests of anything that a person thought up are of no use in
the file: what is not shaped like a key is nobody's, whatever its digest.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final, NamedTuple

from guardkit.diagnostics import did_you_mean, visible
from guardkit.errors import BindError, UsageError
from guardkit.wire import Fault

from ._http import Request
from ._tenant import Tenant

MOST_BYTES: Final = 8 << 20
MOST_NUMBER: Final = 1_000_000_000

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KEY: Final = re.compile(rf"gk_({_NAME.pattern})_[A-Za-z0-9_-]{{43}}")
_DIGEST: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_SHIPPED: Final = re.compile(r"(?:std/)?[a-z][a-z0-9_-]{0,63}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PLACE: Final = re.compile(r"at (?:line \d+, column \d+|end of document)")
_OPTIONS: Final = ("at_once", "keys", "per_minute", "policy")
_HEADERS: Final = ("x-api-key", "api-key")
_OF_NOTHING: Final = frozenset(sha256(text).digest() for text in (b"", b"\n", b"\r\n"))
"""What `sha256sum` says of a variable that was not set."""
_SETTLED_NS: Final = 2_000_000_000
"""A file that was written less than this ago may be written again without a new time."""


class NewKey(NamedTuple):
    """A key as it is handed out, once, and the line that stands for it in the file."""

    key: str
    line: str

    def __repr__(self) -> str:
        return f"NewKey(line={self.line!r})"


class _Entry(NamedTuple):
    """A digest and whose it is."""

    digest: bytes
    tenant: Tenant


_NOBODY: Final = _Entry(bytes(32), Tenant(""))


class _Stamp(NamedTuple):
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    size: int
    mode: int
    written_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The keys of one file. Two are equal if they let the same callers do the same."""

    path: Path
    tenants: tuple[Tenant, ...]
    """Sorted by name."""
    problems: tuple[str, ...]
    """Why the file as it is now is not used, and the one before it still is; mostly empty."""
    _entries: Mapping[bytes, _Entry]
    _stamp: _Stamp | None = field(compare=False)
    """None where the next look has to read the file whatever its times are."""

    @classmethod
    def read(cls, path: str | Path) -> Keys:
        """Read a keys file. Nothing that is wrong with it goes unsaid, and no key is quoted.

        Args:
            path: TOML with a table `[tenants.NAME]` for each tenant: `keys`, a list of digests, and
                if need be `policy` (a file, seen from this one, or the name of a policy that
                ships), `per_minute` and `at_once`.

        Raises:
            BindError: It cannot be read, others than its owner can get at it, or it has mistakes:
                a sentence for each.
        """
        path = Path(path)
        content, stamp = _content(path)
        tenants, entries = _read(_parsed(path, content), path)
        return cls(path, tenants, (), entries, stamp)

    def __repr__(self) -> str:
        return f"<Keys of {len(self.tenants)} tenants>"

    def tenant_of(self, key: str) -> Tenant | None:
        """Whose key this is; None for nobody's.

        How long that takes tells nothing of the keys there are. The key is hashed first, and what
        is looked up is the digest: whoever times the look-up learns about a number that he cannot
        steer, and from which no key can be had. The number of keys does not enter into it, and the
        digest that was found, or one that is none, is compared as a whole.
        """
        shape = _KEY.fullmatch(key)
        if shape is None:
            return None
        digest = sha256(key.encode("ascii")).digest()
        entry = self._entries.get(digest, _NOBODY)
        is_known = compare_digest(digest, entry.digest)
        # A digest that was put under the wrong tenant opens nothing: the key says whose it is.
        return entry.tenant if is_known and shape[1] == entry.tenant.name else None

    def refreshed(self) -> Keys:
        """The keys as the file has them now; the same object where the file was not touched.

        It looks at the disk, so it belongs in a thread. A file that cannot be used changes nothing
        but `problems`: the keys read before hold on.
        """
        try:
            stamp = _stamp(os.stat(self.path))
        except OSError:
            stamp = None
        if stamp is not None and stamp == self._stamp:
            return self
        try:
            return Keys.read(self.path)
        except BindError as error:
            return replace(self, problems=error.problems, _stamp=stamp)


def new_key(tenant: str) -> NewKey:
    """Make a key for a tenant.

    Raises:
        UsageError: That is no name of a tenant.

    Example:
        >>> key, line = new_key("acme")
        >>> len(key), line[:8]
        (51, '"sha256:')
    """
    if _NAME.fullmatch(tenant) is None:
        raise UsageError(_no_name(tenant))
    key = f"gk_{tenant}_{secrets.token_urlsafe(32)}"
    return NewKey(key, f'"sha256:{sha256(key.encode()).hexdigest()}",')


def key_of(request: Request) -> str:
    """The key that a request carries, in `authorization`, `x-api-key` or `api-key`; else empty.

    Raises:
        Fault: It carries two different ones.
    """
    named = (request.headers.get(name, "").strip() for name in _HEADERS)
    given = {key for key in (request.bearer(), *named) if key}
    if len(given) > 1:
        raise Fault(400, "two_keys", "the request carries two different keys")
    return given.pop() if given else ""


# --- the file


def _content(path: Path) -> tuple[bytes, _Stamp | None]:
    """The bytes of the file, and its stamp if that can be relied on later."""
    named = f"the keys file `{visible(str(path))}`"
    try:
        with open(path, "rb", opener=_opened) as file:
            # Taken before the reading: whatever is written from here on makes another stamp.
            found = os.fstat(file.fileno())
            content = file.read(MOST_BYTES + 1) if stat.S_ISREG(found.st_mode) else None
    except OSError as error:
        why = (error.strerror or "it is out of reach").lower()
        raise BindError(f"{named} cannot be read: {why}") from None
    if content is None:
        raise BindError(f"{named} cannot be read: it is no file")
    if os.name == "posix" and _is_open_to_others(
        found, os.geteuid(), {os.getegid(), *os.getgroups()}
    ):
        mode = stat.S_IMODE(found.st_mode)
        raise BindError(
            f"{named} can be read or written by others than its owner (mode {mode:04o}):"
            " `chmod 600` it"
        )
    if len(content) > MOST_BYTES:
        raise BindError(f"{named} is larger than {MOST_BYTES >> 20} MiB")
    return content, _stamp(found)


def _opened(path: str, flags: int) -> int:
    # A FIFO that nobody writes must not hang.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_open_to_others(found: os.stat_result, user: int, groups: set[int]) -> bool:
    others = found.st_mode & 0o077
    if found.st_uid == 0 != user and found.st_gid in groups:
        # Root gave it to the group of this process to read: so are secrets mounted in containers.
        others &= ~0o040
    return others != 0


def _stamp(found: os.stat_result) -> _Stamp | None:
    if found.st_mtime_ns > time.time_ns() - _SETTLED_NS:
        return None
    return _Stamp(
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mode,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _parsed(path: Path, content: bytes) -> dict[str, object]:
    named = f"the keys file `{visible(str(path))}`"
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise BindError(f"{named} is not UTF-8") from None
    except RecursionError:
        raise BindError(f"{named} is nested too deeply") from None
    except ValueError as error:
        # Where it is, not what it says: the line may hold a key.
        place = _PLACE.search(str(error))
        raise BindError(f"{named} is no valid TOML{f' {place[0]}' if place else ''}") from None


# --- what is in it


def _read(
    found: dict[str, object], path: Path
) -> tuple[tuple[Tenant, ...], Mapping[bytes, _Entry]]:
    """The tenants and their digests; all mistakes are raised together."""
    problems = [
        f"the keys file has {_named(word)}, and all it may have is `tenants`"
        for word in found
        if word != "tenants"
    ]
    tables = found.get("tenants")
    if not isinstance(tables, dict) or not tables:
        raise BindError(
            *problems, "the keys file needs a table `[tenants.NAME]` for at least one tenant"
        )
    tenants: list[Tenant] = []
    entries: dict[bytes, _Entry] = {}
    for name, table in sorted(tables.items()):
        if _NAME.fullmatch(name) is None:
            problems.append(_no_name(name))
            continue
        reading = _Reading(name, problems)
        tenant, digests = reading.tenant(table, path.parent)
        tenants.append(tenant)
        for number, digest in digests:
            before = entries.setdefault(digest, _Entry(digest, tenant)).tenant
            if before is not tenant:
                reading.say(f"key {number} is one of tenant `{before.name}`, too")
    if problems:
        raise BindError(*problems)
    return tuple(tenants), entries


class _Reading:
    """Reads the table of one tenant, and collects what is wrong with it."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self._name = name
        self._problems = problems

    def say(self, problem: str) -> None:
        self._problems.append(f"tenant `{self._name}`: {problem}")

    def tenant(self, table: object, folder: Path) -> tuple[Tenant, list[tuple[int, bytes]]]:
        """The tenant, and its digests with their places in the list."""
        if not isinstance(table, dict):
            self.say("a table was expected")
            return Tenant(self._name), []
        for word in table:
            if word not in _OPTIONS:
                near = did_you_mean(word, _OPTIONS) if _PLAIN.fullmatch(word) else ()
                self.say("; ".join((f"{_named(word)} is no option", *near)))
        tenant = Tenant(
            self._name,
            self._policy(table.get("policy"), folder),
            self._number("per_minute", table.get("per_minute")),
            self._number("at_once", table.get("at_once")),
        )
        return tenant, self._digests(table.get("keys"))

    def _digests(self, given: object) -> list[tuple[int, bytes]]:
        if not isinstance(given, list) or not given:
            self.say("`keys` has to be a list of at least one digest")
            return []
        found: dict[bytes, int] = {}
        for number, one in enumerate(given, start=1):
            shape = _DIGEST.fullmatch(one.strip()) if isinstance(one, str) else None
            if shape is not None:
                digest = bytes.fromhex(shape[1])
                first = found.setdefault(digest, number)
                if digest in _OF_NOTHING:
                    self.say(f"key {number} is the digest of an empty text")
                elif first != number:
                    self.say(f"key {number} is the same as key {first}")
            elif isinstance(one, str) and one.strip().startswith("gk_"):
                self.say(f"key {number} stands here in clear: its digest is what belongs here")
            else:
                self.say(f"key {number} is no `sha256:` with 64 hexadecimal digits")
        return [(number, digest) for digest, number in found.items()]

    def _policy(self, given: object, folder: Path) -> str | None:
        if given is None:
            return None
        if not isinstance(given, str) or not given or not given.isprintable():
            self.say("`policy` has to be the path of a policy, or the name of one that ships")
            return None
        path = folder / given
        if path.is_file():
            return str(path)
        if _SHIPPED.fullmatch(given) is None:
            self.say(f"there is no policy `{visible(given[:200])}` beside the keys file")
        return given

    def _number(self, word: str, given: object) -> int | None:
        if given is None:
            return None
        # True is an int, and no number.
        if type(given) is not int or not 1 <= given <= MOST_NUMBER:
            self.say(f"`{word}` has to be a whole number from 1 to {MOST_NUMBER}")
            return None
        return given


def _no_name(given: str) -> str:
    shown = visible(given[:80]) if not _is_secret(given) else "…"
    return (
        f"`{shown}` is no name of a tenant: up to 63 of `a` to `z`, `0` to `9`, `_` and `-` were"
        " expected, the first a letter or a digit"
    )


def _named(word: str) -> str:
    """A word of the file in a message, unless it may be a key that came into the wrong place."""
    is_shown = _PLAIN.fullmatch(word) and not _is_secret(word)
    return f"`{word}`" if is_shown else "a word not shown here"


def _is_secret(word: str) -> bool:
    return word.startswith("gk_") or len(word) > 80
