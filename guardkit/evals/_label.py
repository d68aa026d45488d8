"""What labels mean: 0 and 1, or names of which some are harmful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from guardkit.diagnostics import nearest, visible
from guardkit.errors import UsageError

REST: Final = "none"
"""The label of texts that are none of the others: harmless unless somebody says otherwise."""


class Labels(NamedTuple):
    """The labels of a data set, most frequent first, and which of them are harmful."""

    names: tuple[str, ...]
    """Empty where labels are 0 and 1."""
    harmful: frozenset[str]

    def is_harmful(self, label: int | str) -> bool:
        """What a label says."""
        return label in self.harmful if isinstance(label, str) else label == 1

    @classmethod
    def of(
        cls,
        counts: Mapping[int | str, int],
        label_is: Mapping[str, bool],
        files: Sequence[str] = (),
    ) -> Labels:
        """The meaning of the labels in use.

        What is not named is the opposite of what is. Where nothing is named, `none` is harmless
        and all others are harmful.

        Raises:
            UsageError: Names and numbers are mixed, or nobody can know what a name means.
        """
        names = [label for label in counts if isinstance(label, str)]
        shown = ", ".join(f"`{name}`" for name in files) or "the data"
        if names and len(names) < len(counts):
            raise UsageError(f"{shown}: labels that are names are mixed with 0 and 1")
        if counts and not names:
            if label_is:
                raise UsageError(f"{shown}: labels are 0 and 1, so none of them needs a meaning")
            return cls((), frozenset())
        for name in label_is:
            if counts and name not in counts:
                near = nearest(name, names)
                known = ", ".join(visible(one)[:40] for one in sorted(names)[:12])
                advice = f"did you mean `{near}`?" if near else f"there are {known}"
                raise UsageError(f"no text has the label `{visible(name)[:40]}`; {advice}")
        meant = dict(label_is) or ({REST: False} if REST in names else {})
        unnamed = [name for name in names if name not in meant]
        if unnamed and len(set(meant.values())) != 1:
            first = visible(sorted(unnamed)[0])[:40]
            raise UsageError(
                f"{shown}: nobody said what the label `{first}` means: `--label-is {first}=1` if it"
                " is harmful, `=0` if not"
            )
        meant |= dict.fromkeys(unnamed, True not in meant.values())
        ranked = sorted(names, key=lambda name: (-counts[name], name))
        return cls(tuple(ranked), frozenset(name for name in names if meant[name]))
