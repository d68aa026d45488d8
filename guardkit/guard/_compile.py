"""Reads policy files and everything they use, checks them, lowers them to a plan."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from guardkit._util.contained import ContainmentError, read_contained, resolve_contained
from guardkit.catalog import Catalog
from guardkit.checks import BINDS, DISGUISES, SPECS
from guardkit.diagnostics import Diagnostic, Place, Source, Span, diagnose
from guardkit.errors import BindError, PolicyError, UsageError
from guardkit.plan import Plan, lower, verify_budgets
from guardkit.semantics import (
    Checked,
    CheckedPolicy,
    Data,
    Library,
    LibraryError,
    NoLibrary,
    check,
)
from guardkit.syntax import ast, decode

if TYPE_CHECKING:
    # Most deployments have no packs, and compiling has to begin fast.
    from guardkit.packs import Installed, Means, RunTests

CATALOG = Catalog.of(SPECS, DISGUISES, BINDS)
MAX_POLICY_BYTES = 4_000_000
MAX_DATA_BYTES = 64_000_000
MAX_OVERLAY_BYTES = 256_000
"""Of the file that says how far a deployment has come; a thousand rules are a fifth of it."""

ParamValue = str | float | int | bool | date | timedelta | Sequence["ParamValue"]


def shipped(folder: str) -> Path:
    """`policies/` or `grammars/`: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    packaged = package / f"_{folder}"
    return packaged if packaged.is_dir() else package.parent / folder


def policy_path(policy: str | Path) -> Path:
    """The file that is meant: where there is none, `chat` and `std/pii` are those that ship."""
    path = Path(policy)
    name = str(policy)
    if re.fullmatch(r"(?:std/)?[a-z][a-z0-9_-]{0,63}", name) and not path.exists():
        ready = shipped("policies") / name / f"{path.name}.guard"
        if ready.is_file():
            return ready
    return path


def read_source(path: Path, shown: str) -> Source | Diagnostic:
    """A policy file as text, or the one diagnostic that says why it is none."""
    advice = "move word lists and examples into files of their own"
    return _read(path, shown, MAX_POLICY_BYTES, ("4 MB", advice))


def _read(path: Path, shown: str, limit: int, told: tuple[str, str]) -> Source | Diagnostic:
    source = Source(shown, "")
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except FileNotFoundError:
        return _unreadable(source, "there is no such file")
    except IsADirectoryError:
        return _unreadable(source, "it is a directory")
    except OSError as error:
        return _unreadable(source, (error.strerror or "it cannot be read").lower())
    if len(raw) > limit:
        size, advice = told
        place = Place(source, Span(0, 0))
        return diagnose("too-large", place, f"`{shown}` is over {size}", help=advice)
    return decode(shown, raw)


def _unreadable(source: Source, why: str) -> Diagnostic:
    message = f"`{source.path}` cannot be read: {why}"
    return diagnose("unreadable-file", Place(source, Span(0, 0)), message)


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a source lies: its root folder, its folder inside it, and the root's name."""

    root: Path
    folder: PurePosixPath
    prefix: str


class Disk:
    """A library on disk: shipped modules, and files inside one policy's own folder."""

    def __init__(self, root: Path, shown: str, std: Path | None = None) -> None:
        self._std = std or shipped("policies") / "std"
        self._homes = {shown: _Home(root, PurePosixPath(), "")}

    def module(self, name: str, user: Source) -> Source:
        if name.startswith("std/"):
            short = name.removeprefix("std/")
            path = f"{short}/{short.rsplit('/', 1)[-1]}.guard"
            home = _Home(self._std, PurePosixPath(path).parent, "std:")
            shown = f"std:{path}"
        else:
            user_home = self._homes[user.path]
            path = (user_home.folder / name).as_posix()
            home = _Home(user_home.root, PurePosixPath(path).parent, user_home.prefix)
            base = PurePosixPath(user.path.removeprefix("std:")).parent
            shown = user_home.prefix + (base / name.removeprefix("./")).as_posix()
        made = decode(shown, self.bytes_of(home.root, path, MAX_POLICY_BYTES))
        if isinstance(made, Diagnostic):
            raise LibraryError("not-text")
        self._homes[shown] = home
        return made

    def data(self, name: str, user: Source) -> Data:
        home = self._homes[user.path]
        path = (home.folder / name).as_posix()
        content = self.bytes_of(home.root, path, MAX_DATA_BYTES)
        return Data(home.prefix + path, content)

    def folder(self, name: str, user: Source) -> str:
        home = self._homes[user.path]
        return home.prefix + (home.folder / name).as_posix()

    def bytes_of(self, root: Path, path: str, limit: int) -> bytes:
        """The bytes of one file inside `root`; an editor reads what is open instead.

        Raises:
            LibraryError: There is no such file that may be read.
        """
        try:
            return read_contained(root, path, limit)
        except ContainmentError as error:
            raise LibraryError(error.kind) from None


def data_of(
    root: Path, std: Path | None = None, packs: Installed | None = None
) -> Callable[[str], bytes]:
    """Reads the data files of a checked policy by the names its checks have for them.

    The reader raises `ContainmentError` for a file that is gone by now.
    """

    def read(name: str) -> bytes:
        if name.startswith("std:"):
            inside = name.removeprefix("std:")
            return read_contained(std or shipped("policies") / "std", inside, MAX_DATA_BYTES)
        return read_contained(root, name, MAX_DATA_BYTES)

    return read if packs is None else packs.reader(read)


def folder_of(root: Path | None, std: Path | None = None) -> Callable[[str], Path]:
    """Gives the folders of a checked policy by the names its checks have for them.

    Args:
        root: The policy's own folder; None for policy text that lies in none.
        std: Where the shipped modules lie.
    """

    def folder(name: str) -> Path:
        home, inside = root, name
        if name.startswith("std:"):
            home, inside = std or shipped("policies") / "std", name.removeprefix("std:")
        if home is None:
            raise BindError(f"the folder `{name}` cannot be used: the policy has none of its own")
        try:
            return resolve_contained(home, inside)
        except ContainmentError as error:
            said = _NO_FOLDER.get(error.kind, "it cannot be read")
            raise BindError(f"the folder `{name}` cannot be used: {said}") from None

    return folder


_NO_FOLDER = {
    "missing": "it does not exist",
    "outside": "it leads outside the policy's folder",
    "not-a-file": "it is not a folder",
}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the cyclic collector: a compile makes many objects, and nearly all of them stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def compile_file(
    path: str | Path,
    *,
    params: Mapping[str, ParamValue] | None = None,
    catalog: Catalog = CATALOG,
    std: Path | None = None,
    today: date | None = None,
    packs: Installed | None = None,
    overlay: str | Path | None = None,
) -> Checked:
    """Check a policy file and everything it uses. Mistakes are in the result, never raised.

    `packs` act as if the file had them; see `installed`. `overlay` is a TOML file that says how far
    a deployment has come: it puts rules into shadow, in force for a share of the sessions, or out
    of use. A module is no deployment, and takes neither.
    """
    where = Path(path)
    shown = where.as_posix()
    source = read_source(where, shown)
    if isinstance(source, Diagnostic):
        return Checked(None, (source,))
    library = Disk(where.parent, shown, std)
    return _check(source, catalog, library, params, today, packs, overlay)


def compile_text(
    text: str,
    *,
    root: str | Path | None = None,
    name: str = "policy.guard",
    params: Mapping[str, ParamValue] | None = None,
    catalog: Catalog = CATALOG,
    std: Path | None = None,
    today: date | None = None,
    packs: Installed | None = None,
    overlay: str | Path | None = None,
) -> Checked:
    """Check policy text. Without `root` it can use shipped modules but no files of its own."""
    source = Source(name, text)
    library = Disk(Path(root), name, std) if root is not None else _StdOnly(name, std)
    return _check(source, catalog, library, params, today, packs, overlay)


def _check(
    source: Source,
    catalog: Catalog,
    library: Library,
    params: Mapping[str, ParamValue] | None,
    today: date | None,
    packs: Installed | None,
    overlay: str | Path | None,
) -> Checked:
    rollout = None if overlay is None else _rollout(Path(overlay))
    with _uncollected():
        checked = check(
            source,
            catalog,
            library if packs is None else packs.library(library),
            params=_literals(params),
            today=today,
            overlays=() if packs is None else packs.overlays,
            rollout=rollout if isinstance(rollout, Source) else None,
        )
    if not isinstance(rollout, Diagnostic):
        return checked
    if checked.policy is not None and checked.policy.kind == "module":
        return checked
    found = (*checked.diagnostics, rollout)
    return Checked(None, tuple(sorted(found, key=lambda one: one.order)))


def _rollout(path: Path) -> Source | Diagnostic:
    """The overlay of a deployment as text, or the one diagnostic that says why it is none."""
    told = (f"{MAX_OVERLAY_BYTES // 1000} kB", "it names rules and their modes, nothing else")
    return _read(path, path.as_posix(), MAX_OVERLAY_BYTES, told)


def installed(store: str | Path, today: date | None = None) -> Installed:
    """The packs of a store, each verified again.

    Args:
        store: Its folder.
        today: The day against which packs expire.

    Raises:
        BindError: The store or a pack cannot be used, for all the reasons given.
    """
    from guardkit.packs import Store

    return Store(store).installed(today or date.today())


def means_of(
    run_tests: RunTests | None = None, *, catalog: Catalog = CATALOG, std: Path | None = None
) -> Means:
    """What bundles are built and installed with: check kinds and shipped modules.

    Args:
        run_tests: Runs the tests of a pack; nothing is installed without.
        catalog: The check kinds.
        std: Where the shipped modules lie.
    """
    from guardkit.packs import Means

    beneath = data_of(Path("/nonexistent"), std)
    return Means(catalog, _StdOnly("", std), beneath, run_tests)


class _StdOnly(Disk):
    """Shipped modules and nothing else: for policy text that lies in no folder."""

    def __init__(self, shown: str, std: Path | None) -> None:
        super().__init__(Path("/nonexistent"), shown, std)
        self._shown = shown

    def data(self, name: str, user: Source) -> Data:
        if user.path == self._shown:
            return NoLibrary().data(name, user)
        return super().data(name, user)

    def folder(self, name: str, user: Source) -> str:
        return name if user.path == self._shown else super().folder(name, user)

    def module(self, name: str, user: Source) -> Source:
        if user.path == self._shown and not name.startswith("std/"):
            return NoLibrary().module(name, user)
        return super().module(name, user)


def _literals(params: Mapping[str, ParamValue] | None) -> dict[str, ast.Value]:
    return {name: _literal(name, value) for name, value in (params or {}).items()}


def _literal(name: str, value: ParamValue) -> ast.Value:
    """A Python value as the literal a policy would write."""
    nowhere = Span(0, 0)
    match value:
        case bool():
            return ast.Literal(nowhere, "answer", value, "yes" if value else "no")
        case int() | float():
            return ast.Literal(nowhere, "number", float(value), f"{value}")
        case str():
            return ast.Literal(nowhere, "text", value, f'"{value}"')
        case date():
            return ast.Literal(nowhere, "date", value.isoformat(), value.isoformat())
        case timedelta():
            ms = value // timedelta(milliseconds=1)
            return ast.Literal(nowhere, "duration", ms, f"{ms}ms")
        case list() | tuple():
            return ast.ListOf(nowhere, tuple(_literal(name, item) for item in value))
        case _:
            raise UsageError(f"the parameter `{name}` has a value no policy could write")


def active_rules(policy: CheckedPolicy) -> dict[str, tuple[str, ...]]:
    """The names of the rules that act on each surface, for everyone who asks what is guarded."""
    found: dict[str, list[str]] = {}
    for rule in policy.rules:
        if rule.mode == "enforce":
            for surface in rule.surfaces:
                found.setdefault(surface, []).append(rule.name)
    return {surface: tuple(names) for surface, names in found.items()}


def plan_of(policy: CheckedPolicy, catalog: Catalog = CATALOG) -> Plan:
    """The compiled rule graph of a policy.

    Raises:
        PolicyError: It has none, because it is too deep.
    """
    with _uncollected():
        return lower(policy, catalog)


def plan_findings(policy: CheckedPolicy, catalog: Catalog = CATALOG) -> tuple[Diagnostic, ...]:
    """What compiling a policy shows about its budgets and its streams. A module has no plan."""
    if policy.kind == "module":
        return ()
    try:
        return verify_budgets(plan_of(policy, catalog), policy)
    except PolicyError as error:
        return error.diagnostics
