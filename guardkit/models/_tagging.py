"""From a label for each token to places in the text: BIO, BIOES and plain labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ._reading import Span

NOTHING: Final = "O"
_BEGINS: Final = frozenset("BSU")
_ENDS: Final = frozenset("ESLU")


class Tagger:
    """Reads the labels of one model.

    Args:
        labels: What each column stands for: `O`, `B-PER`, `I-PER` …; a label without a tag in front
            is one that goes on.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        import numpy as np

        parted = [_parted(label) for label in labels]
        self._kinds = sorted({kind for _, kind in parted if kind})
        self._tags = [tag for tag, _ in parted]
        self._kind_of = [self._kinds.index(kind) if kind else -1 for _, kind in parted]
        # Which columns speak for which kind.
        self._columns = np.zeros((len(labels), len(self._kinds)))
        for column, kind in enumerate(self._kind_of):
            if kind >= 0:
                self._columns[column, kind] = 1.0

    def spans(self, logits: Any, starts: Any, ends: Any, text: str) -> list[Span]:
        """What the labels of one window say.

        A word is never split: its later tokens go with those before them. The score is the mean
        probability of the kind over the tokens.

        Args:
            logits: float [tokens, labels].
            starts: Where each token begins in the text.
            ends: Where it ends.
            text: The text.
        """
        import numpy as np

        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds = (powers / powers.sum(axis=1, keepdims=True)) @ self._columns
        found: list[Span] = []
        shares: list[float] = []
        kind, is_open, begin, end, word = -1, False, 0, -1, 0
        best = logits.argmax(axis=1).tolist()
        for at, (column, start, stop) in enumerate(
            zip(best, starts.tolist(), ends.tolist(), strict=True)
        ):
            if start >= stop:
                continue  # stands for nothing in the text
            if not _goes_on(text, end, start):
                word = start
            own, tag = self._kind_of[column], self._tags[column]
            if word != start and kind >= 0:
                shares.append(odds[at, kind])
            elif own >= 0 and own == kind and is_open and tag not in _BEGINS:
                shares.append(odds[at, kind])
                is_open = tag not in _ENDS
            else:
                if kind >= 0:
                    found.append(Span(begin, end, self._kinds[kind], _mean(shares)))
                kind, is_open = own, tag not in _ENDS
                begin, shares = word, [odds[at, own]]
            end = stop
        if kind >= 0:
            found.append(Span(begin, end, self._kinds[kind], _mean(shares)))
        return found


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans by place; those of one label that overlap are one, with the greatest score."""
    found: dict[str, list[Span]] = {}
    for span in sorted(spans):
        kept = found.setdefault(span.label, [])
        if kept and span.start < kept[-1].end:
            last = kept.pop()
            span = Span(
                last.start, max(last.end, span.end), span.label, max(last.score, span.score)
            )
        kept.append(span)
    return tuple(sorted(span for kept in found.values() for span in kept))


def _parted(label: str) -> tuple[str, str]:
    """The tag and the kind of a label; no kind for what stands for nothing."""
    if label == NOTHING:
        return NOTHING, ""
    if len(label) > 2 and label[0] in "BIESLU" and label[1] in "-_":
        return label[0], label[2:]
    return "I", label


def _mean(shares: Sequence[float]) -> float:
    return float(sum(shares) / len(shares))


def _goes_on(text: str, end: int, start: int) -> bool:
    """Whether a token that begins here goes on with the word of the one that ended there."""
    return (
        end == start
        and 0 < start < len(text)
        and _is_letter(text[start - 1])
        and (_is_letter(text[start]))
    )


def _is_letter(character: str) -> bool:
    # Of a script that puts blanks between words: elsewhere a whole sentence would be one word.
    is_spaced = character < "\u0e00" or "\uac00" <= character <= "\ud7a3"
    return is_spaced and character.isalnum()
