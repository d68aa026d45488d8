"""The format of a bundle: one canonical text, read strictly, written in one spelling."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, NoReturn, get_args

from guardkit.errors import BindError
from guardkit.syntax import EDITION

from ._paths import colliding, path_problem

Kind = Literal["pack", "policy"]

FORMAT = 1
"""Goes up when an older reader would misread a newer bundle."""
SUFFIX = ".gkb"
MAX_FILES = 500
MAX_CONTENT_BYTES = 16_000_000
MAX_BUNDLE_BYTES = 24_000_000
"""What 16 MB come to in base64, and what stands around them."""
_MOST_MARKS = 400_000
"""No bundle has more `{`, `[` and `,`, names of files included; else it is not even parsed."""
MAX_SIGNATURES = 16
MAX_TITLE = 200

NEXT = "_next"
"""What a pack's name gets at its end while a newer version of it is on trial."""
_FIELDS = frozenset({"call", "context"})
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,7}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HASH = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STD_PATH = re.compile(r"std:[a-z0-9_./-]{1,190}")
_DOMAIN = b"guardkit bundle manifest, format 1\n"
"""INVARIANT: nothing else guardkit signs begins like this, so no signature fits anything else."""


class BundleError(BindError):
    """A bundle is refused, for every reason given. What was there before stays as it is."""


class FileRow(NamedTuple):
    """What a manifest says of one file."""

    path: str
    sha256: str
    size: int


class Signature(NamedTuple):
    """One signature of a manifest, and the public key it is made with, both as raw bytes."""

    key: bytes
    made: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is; the signatures are over this, and it names every file by its digest."""

    kind: Kind
    name: str
    version: str
    title: str
    issued: date
    expires: date | None
    language: int
    files: tuple[FileRow, ...]
    std: tuple[tuple[str, str], ...]
    """The shipped files it was built against, by digest. They are not part of it."""

    @property
    def signed(self) -> bytes:
        """The bytes that a signature is over."""
        return _DOMAIN + _dense(_manifest_data(self))

    @property
    def digest(self) -> str:
        """What the bundle holds, whoever signed it."""
        return f"sha256:{hashlib.sha256(self.signed).hexdigest()}"

    @property
    def entry(self) -> str:
        """The file that is the module or the policy."""
        return f"{self.name}.guard"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle, read and found whole. Whether it can be trusted, `verify` says."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    signatures: tuple[Signature, ...] = ()

    @property
    def shown(self) -> str:
        """`gift_card 3`, for people."""
        return f"{self.manifest.name} {self.manifest.version}"


def version_key(version: str) -> tuple[int, ...]:
    """A version as numbers that compare; `1` and `1.0` are the same."""
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def is_version(version: str) -> bool:
    """Whether a text is a version: a positive number, or numbers with dots between them."""
    return bool(_VERSION.fullmatch(version)) and any(version_key(version))


def file_row(path: str, content: bytes) -> FileRow:
    """What a manifest says of a file with this content."""
    return FileRow(path, hashlib.sha256(content).hexdigest(), len(content))


# --- writing


def to_bytes(bundle: Bundle) -> bytes:
    """The bundle in its one spelling."""
    return _spelled(
        {
            "files": {path: _base64(content) for path, content in bundle.files.items()},
            "manifest": _manifest_data(bundle.manifest),
            "signatures": [
                {"key": _base64(one.key), "signature": _base64(one.made)}
                for one in bundle.signatures
            ],
        }
    )


def _spelled(data: Any) -> bytes:  # Any: whatever JSON can hold
    return json.dumps(data, sort_keys=True, indent=1, allow_nan=False).encode("ascii") + b"\n"


def _dense(data: Any) -> bytes:  # Any: as above
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _manifest_data(manifest: Manifest) -> dict[str, Any]:
    return {
        "expires": None if manifest.expires is None else manifest.expires.isoformat(),
        "files": {row.path: {"sha256": row.sha256, "size": row.size} for row in manifest.files},
        "format": FORMAT,
        "issued": manifest.issued.isoformat(),
        "kind": manifest.kind,
        "language": manifest.language,
        "name": manifest.name,
        "std": dict(manifest.std),
        "title": manifest.title,
        "version": manifest.version,
    }


# --- reading


def read_bundle(raw: bytes) -> Bundle:
    """Read the bytes of a bundle; they have to be exactly what `to_bytes` writes.

    Raises:
        BundleError: They are not. Nothing of the content is quoted.
    """
    if len(raw) > MAX_BUNDLE_BYTES:
        _refuse(f"it is over {MAX_BUNDLE_BYTES // 1_000_000} MB")
    if sum(raw.count(mark) for mark in (b"{", b"[", b",")) > _MOST_MARKS:
        _refuse("it is no bundle: none has so many parts")
    try:
        data = json.loads(raw.decode("ascii"), parse_float=_no_number, parse_constant=_no_number)
        bundle = _read(data)
        is_canonical = to_bytes(bundle) == raw
    except (ValueError, RecursionError):  # UnicodeDecodeError is one
        _refuse("it is no bundle: the text is not the JSON of one")
    if not is_canonical:
        _refuse("it is not spelled the one way a bundle is: it was changed after it was built")
    return bundle


def _refuse(why: str) -> NoReturn:
    raise BundleError(f"the bundle is refused: {why}")


def _no_number(_: str) -> NoReturn:
    raise ValueError


def _read(data: object) -> Bundle:
    top = _fields(data, "bundle", "files", "manifest", "signatures")
    manifest = _read_manifest(top["manifest"])
    if not isinstance(top["files"], dict):
        _damaged("files")
    contents: dict[str, bytes] = {}
    for row in manifest.files:
        if row.path not in top["files"]:
            _refuse("a file that its manifest names is missing")
        contents[row.path] = content = _bytes(top["files"][row.path], "files")
        if file_row(row.path, content) != row:
            _refuse(f"`{row.path}` is not what its manifest says")
    if len(contents) != len(top["files"]):
        _refuse("it holds a file that its manifest does not name")
    return Bundle(manifest, MappingProxyType(contents), _read_signatures(top["signatures"]))


def _read_manifest(data: object) -> Manifest:
    found = _fields(
        data,
        "manifest",
        *("expires", "files", "format", "issued", "kind", "language"),
        *("name", "std", "title", "version"),
    )
    if found["format"] != FORMAT or type(found["format"]) is not int:
        _refuse(f"it has another format; this version reads {FORMAT}")
    kinds: tuple[Kind, ...] = get_args(Kind)
    kind = next((kind for kind in kinds if kind == found["kind"]), None)
    if kind is None:
        _damaged("kind")
    language = found["language"]
    if type(language) is not int or language < 1:
        _damaged("language")
    if language > EDITION:
        _refuse(f"it needs edition {language:.0f} of the policy language; this is {EDITION}")
    manifest = Manifest(
        kind=kind,
        name=_text(found["name"], "name", lambda text: bool(NAME.fullmatch(text))),
        version=_text(found["version"], "version", is_version),
        title=_text(found["title"], "title", is_title),
        issued=_day(found["issued"], "issued"),
        expires=None if found["expires"] is None else _day(found["expires"], "expires"),
        language=language,
        files=_read_rows(found["files"]),
        std=_read_std(found["std"]),
    )
    for problem in manifest_problems(manifest):
        _refuse(problem)
    return manifest


def manifest_problems(manifest: Manifest) -> list[str]:
    """What is wrong with a manifest whose parts are right each by itself."""
    found = []
    paths = [row.path for row in manifest.files]
    if manifest.kind == "pack" and manifest.expires is None:
        found.append("a pack has to say when it expires: `--expires DATE`, or `--days 90`")
    if manifest.kind == "pack" and manifest.name in _FIELDS:
        found.append(f"a pack cannot be called `{manifest.name}`: conditions read fields so")
    if manifest.kind == "pack" and manifest.name.endswith(NEXT):
        found.append(f"the name of a pack cannot end in `{NEXT}`: a newer version is called so")
    if manifest.expires is not None and manifest.expires < manifest.issued:
        found.append("it expires before it is issued")
    if len(paths) > MAX_FILES:
        found.append(f"it has more than {MAX_FILES} files")
    if sum(row.size for row in manifest.files) > MAX_CONTENT_BYTES:
        found.append(f"its files are over {MAX_CONTENT_BYTES // 1_000_000} MB")
    if manifest.entry not in paths:
        found.append(f"it has no file `{manifest.entry}`")
    if (pair := colliding(paths)) is not None:
        found.append(f"`{pair[0]}` and `{pair[1]}` are one file on some systems")
    return found


def _read_rows(data: object) -> tuple[FileRow, ...]:
    if not isinstance(data, dict) or len(data) > MAX_FILES:
        _refuse(f"it has more than {MAX_FILES} files" if isinstance(data, dict) else "no files")
    rows = []
    for path, facts in sorted(data.items()):
        if (problem := path_problem(path)) is not None:
            _refuse(f"the name of a file {problem}")
        found = _fields(facts, "files", "sha256", "size")
        size = found["size"]
        if type(size) is not int or not 0 <= size <= MAX_CONTENT_BYTES:
            _damaged("size")
        digest = _text(found["sha256"], "sha256", lambda text: bool(_HASH.fullmatch(text)))
        rows.append(FileRow(path, digest, size))
    return tuple(rows)


def _read_std(data: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(data, dict) or len(data) > MAX_FILES:
        _damaged("std")
    for path, digest in data.items():
        _text(path, "std", lambda text: bool(_STD_PATH.fullmatch(text)))
        _text(digest, "std", lambda text: bool(_DIGEST.fullmatch(text)))
    return tuple(sorted(data.items()))


def _read_signatures(data: object) -> tuple[Signature, ...]:
    if not isinstance(data, list) or len(data) > MAX_SIGNATURES:
        _damaged("signatures")
    found = []
    for row in data:
        facts = _fields(row, "signatures", "key", "signature")
        one = Signature(_bytes(facts["key"], "key"), _bytes(facts["signature"], "signature"))
        if len(one.key) != 32 or len(one.made) != 64:
            _damaged("signatures")
        found.append(one)
    if found != sorted(found) or len({one.key for one in found}) != len(found):
        _damaged("signatures")
    return tuple(found)


def _fields(data: object, where: str, *names: str) -> dict[str, Any]:
    if not isinstance(data, dict) or data.keys() != set(names):
        _damaged(where)
    return data


def _text(data: object, where: str, fits: Callable[[str], bool]) -> str:
    if not isinstance(data, str) or not fits(data):
        _damaged(where)
    return data


def _day(data: object, where: str) -> date:
    text = _text(data, where, lambda text: bool(_DATE.fullmatch(text)))
    try:
        return date.fromisoformat(text)
    except ValueError:
        _damaged(where)


def _bytes(data: object, where: str) -> bytes:
    if not isinstance(data, str):
        _damaged(where)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        _damaged(where)


def is_title(text: str) -> bool:
    """Whether a title can stand in a bundle: one line that can be seen."""
    return len(text) <= MAX_TITLE and text.isprintable()


def _damaged(where: str) -> NoReturn:
    _refuse(f"its `{where}` is not what a bundle has there")
