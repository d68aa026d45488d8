"""A folder with the packs of a deployment: what is installed, how it acts, who is trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from guardkit._util.contained import ContainmentError, read_contained
from guardkit._util.locking import locked
from guardkit._util.writing import write_atomically
from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._bundle import MAX_BUNDLE_BYTES, SUFFIX, Bundle, BundleError
from ._examine import Means, examine
from ._installed import Acting, Installed, aliased
from ._keys import MAX_KEY_BYTES, PublicKey, public_key
from ._state import (
    MAX_STATE_BYTES,
    Entry,
    Placed,
    Setup,
    State,
    StateError,
    from_text,
    is_newer,
    is_percent,
    to_text,
)
from ._verify import verify

_STATE, _LOCK, _BUNDLES, _TRUSTED = "state.json", ".lock", "bundles", "trusted"
_PATIENCE_S = 30.0
_MOST_KEYS = 100
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """One name of a store for people. `problems` say what keeps its versions from being used."""

    name: str
    setup: Setup
    floor: str
    steps: int
    """How many changes can be rolled back."""
    bundles: Mapping[str, Bundle]
    """The installed ones by version, as far as they can be trusted today."""
    problems: tuple[str, ...]


class Store:
    """The pack store in a folder. Every change happens whole or not at all.

    Args:
        folder: The folder; `Store.create` makes one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._shown = visible(self.folder.as_posix())

    @classmethod
    def create(cls, folder: str | Path) -> Store:
        """The store in a folder, made new where there is nothing yet.

        Raises:
            BindError: It cannot be made, or a store there has lost its state.
        """
        store = cls(folder)
        try:
            store.folder.mkdir(parents=True, exist_ok=True)
            with store._locked():
                if not (store.folder / _STATE).exists():
                    if any((store.folder / _BUNDLES).glob("*")):
                        raise BindError(
                            f"`{store._shown}` holds packs and has lost its `{_STATE}`: put it back"
                        )
                    for name in (_BUNDLES, _TRUSTED):
                        (store.folder / name).mkdir(exist_ok=True)
                    write_atomically(store.folder / _STATE, to_text(State()))
        except OSError as error:
            raise BindError(f"`{store._shown}` cannot be written: {_why(error)}") from None
        return store

    # --- who is trusted

    def trust(self, pem: bytes, name: str) -> PublicKey:
        """Trust a key from now on.

        Args:
            pem: The text of its public file.
            name: What an error calls it.

        Raises:
            BindError: It is no public key, or cannot be kept.
        """
        key = public_key(pem, name)
        path = self.folder / _TRUSTED / f"{key.id.partition(':')[2]}.pub"
        with self._alone():
            self._write(path, pem)
        return key

    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys that are trusted.

        Raises:
            BindError: One of them cannot be read.
        """
        names = sorted(path.name for path in (self.folder / _TRUSTED).glob("*.pub"))
        if len(names) > _MOST_KEYS:
            raise BindError(f"`{self._shown}` has more than {_MOST_KEYS} trusted keys")
        return tuple(
            public_key(self._read(f"{_TRUSTED}/{name}", MAX_KEY_BYTES), visible(name))
            for name in names
        )

    # --- changes

    def add(
        self,
        raw: bytes,
        means: Means,
        *,
        today: date,
        fits: Callable[[Installed], None] | None = None,
        is_trial: bool = False,
    ) -> tuple[Bundle, Setup]:
        """Install a pack, in shadow. One that is enforced already goes on beside the newer one.

        Args:
            raw: The bytes of the bundle.
            means: What it is examined with; tests have to be run.
            today: The day.
            fits: Told of all packs as they would act; raises where the policy does not compile
                with them.
            is_trial: Do everything but the change.

        Raises:
            BundleError: It is refused; nothing has changed.
            PolicyError: It does not compile, or `fits` says so; nothing has changed.
            BindError: The store cannot be used.
        """
        if means.run_tests is None:
            raise TypeError("a pack is not installed without its tests")
        with self._alone():
            state = self._state()
            bundle = verify(raw, self.trusted(), today)
            name = bundle.manifest.name
            if bundle.manifest.kind != "pack":
                raise BundleError(f"{bundle.shown} is refused: it is a policy, not a pack")
            entry = state.packs.get(name, Entry(Setup(), (), bundle.manifest.version))
            if name in state.packs and not is_newer(bundle.manifest.version, entry.floor):
                raise BundleError(
                    f"{bundle.shown} is refused: version {entry.floor} was installed here, and"
                    " only a newer one can follow"
                )
            examine(bundle.manifest, bundle.files, means, today)
            placed = Placed(
                bundle.manifest.version, hashlib.sha256(raw).hexdigest(), "shadow", 100.0
            )
            setup = entry.setup
            if setup.main is not None and not self._is_usable(name, setup.main, today):
                # It acts nowhere: no policy loads with it, and what follows it is the cure.
                setup = Setup()
            setup = _with_newer(setup, placed)
            after = state.put(
                name, Entry(setup, entry.changed(setup).before, bundle.manifest.version)
            )
            acting = self._installed(after, today, {placed.sha256: raw})
            if fits is not None:
                fits(acting)
            if not is_trial:
                path = self.folder / _BUNDLES / _file(name, placed.version)
                self._write(path, raw)
                try:
                    self._keep(after)
                except BindError:
                    with suppress(OSError):
                        path.unlink()
                    raise
            return bundle, setup

    def enforce(self, name: str, *, today: date, percent: float = 100.0) -> Setup:
        """Have the newest version of a pack act, for a share of the sessions or for all.

        For all: the version before it, if one acted beside it, acts no more.

        Raises:
            BundleError: There is no such pack, or the share makes no sense.
            BindError: The store cannot be used.
        """
        if not is_percent(percent) or not percent:
            raise BundleError("a share of sessions is above 0, at most 100, with two decimals")

        def change(setup: Setup) -> Setup:
            newest = setup.newest
            assert newest is not None
            acting = newest._replace(mode="enforce", percent=float(percent))
            if setup.trial is None or acting.acts_for_all:
                return Setup(acting)
            return setup._replace(trial=acting)

        return self._change(name, change, today)

    def shadow(self, name: str, *, today: date) -> Setup:
        """Put the newest version of a pack back into shadow.

        Raises:
            BundleError: There is no such pack.
            BindError: The store cannot be used.
        """

        def change(setup: Setup) -> Setup:
            newest = setup.newest
            assert newest is not None
            quiet = newest._replace(mode="shadow", percent=100.0)
            return Setup(quiet) if setup.trial is None else setup._replace(trial=quiet)

        return self._change(name, change, today)

    def remove(self, name: str) -> Setup:
        """Take a pack out, all versions of it. Only a newer one can be added after that.

        Raises:
            BundleError: There is no such pack.
            BindError: The store cannot be used.
        """
        return self._change(name, lambda _: Setup(), None)

    def rollback(self, name: str, *, today: date) -> Setup:
        """Undo the last change of a pack: version and mode are what they were before.

        Raises:
            BundleError: Nothing is left to undo, or what was before is past its date.
            BindError: The store cannot be used.
        """
        with self._alone():
            state = self._state()
            entry = self._entry(state, name)
            if not entry.before:
                raise BundleError(f"`{visible(name)}` has no change that could be rolled back")
            after = Entry(entry.before[-1], entry.before[:-1], entry.floor)
            self._installed(State({name: after}), today)
            self._keep(state.put(name, after))
            return after.setup

    def _change(self, name: str, change: Callable[[Setup], Setup], today: date | None) -> Setup:
        with self._alone():
            state = self._state()
            entry = self._entry(state, name)
            if entry.setup.newest is None:
                raise BundleError(f"`{visible(name)}` was removed from this store")
            setup = change(entry.setup)
            if setup == entry.setup:
                raise BundleError(f"`{visible(name)}` acts so already: nothing is changed")
            after = entry.changed(setup)
            if today is not None:
                self._installed(State({name: after}), today)
            self._keep(state.put(name, after))
            return setup

    # --- what is there

    def installed(self, today: date) -> Installed:
        """Every pack that acts, each verified again.

        Raises:
            BundleError: One of them cannot be used today, for every reason given.
            BindError: The store cannot be used.
        """
        for _ in range(_TRIES):
            state = self._state()
            try:
                return self._installed(state, today)
            except BundleError:
                # Somebody may have changed the store meanwhile: then it is what it is now.
                if self._state() == state:
                    raise
        return self._installed(self._state(), today)

    def listed(self, today: date) -> tuple[Listed, ...]:
        """Every name that was ever installed, sorted, with what keeps it from being used.

        Raises:
            BindError: The store cannot be used.
        """
        found = []
        trusted = self.trusted()
        for name, entry in sorted(self._state().packs.items()):
            bundles: dict[str, Bundle] = {}
            problems: list[str] = []
            for placed in entry.setup:
                if placed is None:
                    continue
                try:
                    bundles[placed.version] = self._verified(name, placed, trusted, today, {})
                except BundleError as error:
                    problems += error.problems
            found.append(
                Listed(name, entry.setup, entry.floor, len(entry.before), bundles, tuple(problems))
            )
        return tuple(found)

    def _installed(
        self, state: State, today: date, known: Mapping[str, bytes] | None = None
    ) -> Installed:
        trusted = self.trusted()
        acting: list[Acting] = []
        problems: list[str] = []
        for name, entry in sorted(state.packs.items()):
            for alias, placed in aliased(name, *entry.setup):
                try:
                    bundle = self._verified(name, placed, trusted, today, known or {})
                    acting.append(Acting(alias, placed, bundle))
                except BundleError as error:
                    problems += error.problems
        if problems:
            raise BundleError(*problems)
        return Installed(tuple(acting))

    def _verified(
        self,
        name: str,
        placed: Placed,
        trusted: tuple[PublicKey, ...],
        today: date,
        known: Mapping[str, bytes],
    ) -> Bundle:
        cure = f"add a newer version, or take it out: guardkit packs remove {self._shown} {name}"
        path = f"{_BUNDLES}/{_file(name, placed.version)}"
        try:
            raw = known.get(placed.sha256) or self._read(path, MAX_BUNDLE_BYTES)
            if hashlib.sha256(raw).hexdigest() != placed.sha256:
                raise BundleError(f"`{path}` is not the file that was installed")
            bundle = verify(raw, trusted, today)
            if (bundle.manifest.name, bundle.manifest.version, bundle.manifest.kind) != (
                *(name, placed.version),
                "pack",
            ):
                raise BundleError(f"`{path}` is not the pack that was installed")
        except BindError as error:
            raise BundleError(*(f"{problem}; {cure}" for problem in error.problems)) from None
        return bundle

    def _is_usable(self, name: str, placed: Placed, today: date) -> bool:
        try:
            self._verified(name, placed, self.trusted(), today, {})
        except BundleError:
            return False
        return True

    # --- the folder

    def _entry(self, state: State, name: str) -> Entry:
        entry = state.packs.get(name)
        if entry is None:
            raise BundleError(f"there is no pack `{visible(name)}` in `{self._shown}`")
        return entry

    def _state(self) -> State:
        try:
            return from_text(read_contained(self.folder, _STATE, MAX_STATE_BYTES))
        except ContainmentError as error:
            if error.kind == "missing":
                raise BindError(
                    f"`{self._shown}` is no pack store: it has no `{_STATE}`; a new one is made by:"
                    f" guardkit packs trust {self._shown} KEY.pub"
                ) from None
            raise BindError(f"`{self._shown}` cannot be used: {error}") from None
        except StateError as error:
            raise BindError(f"`{_STATE}` of `{self._shown}` cannot be used: {error}") from None

    def _keep(self, state: State) -> None:
        """The change happens here; what nobody can go back to any more is cleared away."""
        self._write(self.folder / _STATE, to_text(state))
        needed = {_file(name, version) for name, version in state.needed()}
        for path in (self.folder / _BUNDLES).glob(f"*{SUFFIX}"):
            if path.name not in needed:
                with suppress(OSError):  # it is in nobody's way
                    path.unlink()

    def _read(self, path: str, limit: int) -> bytes:
        try:
            return read_contained(self.folder, path, limit)
        except ContainmentError as error:
            raise BindError(f"a file of `{self._shown}` cannot be used: {error}") from None

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_atomically(path, content)
        except OSError as error:
            raise BindError(f"`{self._shown}` cannot be written: {_why(error)}") from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._state()  # where there is no store, nothing is written, not even a lock
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.folder / _LOCK, patience_s=_PATIENCE_S))
            except TimeoutError:
                raise BindError(f"`{self._shown}` is being changed by somebody else") from None
            except OSError as error:
                raise BindError(f"`{self._shown}` cannot be written: {_why(error)}") from None
            yield


def _with_newer(setup: Setup, placed: Placed) -> Setup:
    """A newer version never ends what another one does: it is tried beside it."""
    if setup.main is None or setup.main.mode == "shadow":
        return Setup(placed)
    return setup._replace(trial=placed)


def _file(name: str, version: str) -> str:
    return f"{name}-{version}{SUFFIX}"


def _why(error: OSError) -> str:
    return (error.strerror or "it failed").lower()
