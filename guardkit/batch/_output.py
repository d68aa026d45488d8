"""Files of results, each written so that a run that was stopped can go on where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from guardkit.diagnostics import visible
from guardkit.errors import UsageError

from ._corpus import Mark
from ._journal import Identity, Journal, Totals
from ._judging import Result
from ._lines import Lines
from ._parquet import Columns

OUT_SUFFIXES: Final = (".jsonl", ".parquet", ".sqlite")
"""What the name of a file of results ends in."""
BETWEEN_S: Final = 1.0
"""How often results are made to last: what a power cut costs at most."""


class Store(Protocol):
    """Where results go. What a journal says is there, is there whatever happens next."""

    def found(self) -> Journal | None:
        """The journal of the run that wrote what is there; None where there was none."""

    def begin(self, journal: Journal) -> None:
        """Go on after a journal: what lies beyond it is cut off."""

    def write(self, results: Sequence[Result]) -> int:
        """Add results; the bytes they take, where that counts."""

    def keep(self, journal: Journal) -> None:
        """Make what was written up to the journal last, and the journal with it."""

    def finish(self, journal: Journal) -> None:
        """The run is over: leave the output as users want it."""

    def close(self) -> None:
        """Let go of it."""


class Output:
    """The results of one run, in a file.

    Args:
        path: The file; its suffix says the form.
        identity: What the run is about.
        resume: Go on with what is there.
        shows_values: Whether results hold texts.

    Raises:
        UsageError: Its name says no form, something else is there, or what is there belongs to
            another run.
    """

    def __init__(
        self, path: Path, identity: Identity, *, resume: bool = False, shows_values: bool = False
    ) -> None:
        shown = visible(path.as_posix())
        self._store = _store_of(path, shown, shows_values)
        try:
            found = self._store.found()
            self.journal = self._begun(found, identity, shown, resume)
            if not self.journal.is_over:
                self._store.begin(self.journal)
        except OSError as error:
            self._store.close()
            why = (error.strerror or "it failed").lower()
            raise UsageError(f"`{shown}` cannot be written: {why}") from None
        except BaseException:
            self._store.close()
            raise
        self._kept_at = monotonic()
        self._now = self.journal

    @staticmethod
    def _begun(found: Journal | None, identity: Identity, shown: str, resume: bool) -> Journal:
        if not resume:
            if found is not None and not found.is_over:
                raise UsageError(
                    f"`{shown}` belongs to a run that was stopped: go on with `--resume`, or"
                    " remove it"
                )
            return Journal(identity)
        if found is None:
            return Journal(identity)
        if why := found.identity.refusal(identity):
            raise UsageError(f"`{shown}` cannot be gone on with: {why}")
        return found

    @property
    def totals(self) -> Totals:
        """What came of all rows so far, those of earlier runs included."""
        return self._now.totals

    def add(self, results: Sequence[Result], mark: Mark) -> None:
        """Take in results; they last within a second.

        Args:
            results: They follow those before.
            mark: Where the corpus stands after them.
        """
        size = self._store.write(results)
        now = self._now
        # One step: a Ctrl-C before it leaves results beyond the journal, which do not count.
        self._now = now.at(mark, now.size + size, now.totals.plus(results))
        if monotonic() - self._kept_at >= BETWEEN_S:
            self.keep()

    def keep(self) -> None:
        """Make everything last that was taken in."""
        if self._now is not self.journal:
            self._store.keep(self._now)
            self.journal = self._now
        self._kept_at = monotonic()

    def finish(self) -> None:
        """The corpus is at its end."""
        if self.journal.is_over:
            return
        self.keep()
        over = self.journal.at(
            self.journal.mark, self.journal.size, self.journal.totals, is_over=True
        )
        self._store.finish(over)
        self.journal = self._now = over

    def close(self) -> None:
        """Let go of it. What was not kept is judged again by the run that goes on."""
        self._store.close()


def _store_of(path: Path, shown: str, shows_values: bool) -> Store:
    if not path.absolute().parent.is_dir():
        raise UsageError(f"`{shown}` cannot be written: no such folder")
    if path.suffix == ".jsonl":
        return Lines(path, shown)
    if path.suffix == ".parquet":
        return Columns(path, shown, shows_values=shows_values)
    if path.suffix == ".sqlite":
        from ._sqlite import Table

        return Table(path, shown)
    *most, last = OUT_SUFFIXES
    raise UsageError(f"`{shown}` is no form of results: name it {', '.join(most)} or {last}")
