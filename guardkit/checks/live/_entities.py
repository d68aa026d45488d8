"""Puts the recognisers of a check together, and beside them a model for what has no shape."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from guardkit.catalog import NO, UNKNOWN, Answer, Finder, Hit, Setting, Subject, Viewed
from guardkit.errors import BindError

from .._entities import NEED_A_MODEL
from ._matches import encoded, prepare
from ._viewed import chosen_views, outermost, views_to_read
from .recognisers import EntityFinder, recognisers_of, width_of

if TYPE_CHECKING:
    from guardkit.models import OnnxModel

_WITHOUT_BLANKS = frozenset({"crypto_wallet", "email", "url"})

KIND_OF = {
    "company": "organisation",
    "facility": "location",
    "gpe": "location",
    "loc": "location",
    "location": "location",
    "org": "organisation",
    "organisation": "organisation",
    "organization": "organisation",
    "per": "person",
    "pers": "person",
    "person": "person",
    "place": "location",
}
"""What models call the kinds. Any other label is a kind of its own name."""
_TAGS = frozenset("BIESLU")


def bind(config: Mapping[str, object], setting: Setting) -> Finder | Names:
    """The recognisers of the kinds asked for; with a model, a caller that has both.

    Raises:
        BindError: A kind needs a model, or the model cannot be opened or does not give it.
    """
    given = config.get("kinds", ())
    assert isinstance(given, tuple)
    kinds = tuple(map(str, given))
    if "model" in config:
        return _names(config, setting, kinds)
    names = [kind for kind in kinds if kind in NEED_A_MODEL]
    if names:
        quoted = ", ".join(f"`{name}`" for name in names)
        verb = "needs" if len(names) == 1 else "need"
        raise BindError(f"`{setting.name}`: {quoted} {verb} a model; give `model` and `digest`")
    return _finder(kinds)


def _finder(kinds: Collection[str]) -> EntityFinder:
    spaced = width_of(kind for kind in kinds if kind not in _WITHOUT_BLANKS)
    return EntityFinder(recognisers_of(kinds), spaced=spaced)


# --- with a model


def _names(config: Mapping[str, object], setting: Setting, kinds: Collection[str]) -> Names:
    from guardkit.models import OnnxModel

    from ._models import model_of

    model = model_of(config, setting, "")
    if not isinstance(model, OnnxModel) or model.manifest.tokens is None:
        raise BindError(f"the model `{model.manifest.name}` gives no labels for tokens")
    said = {kind_of(label) for label in model.manifest.tokens.labels if label != "O"}
    shown = ", ".join(f"`{kind}`" for kind in sorted(said)) or "nothing"
    wanted = said.intersection(kinds) if kinds else said
    missing = [kind for kind in kinds if kind in NEED_A_MODEL and kind not in said]
    if missing:
        quoted = ", ".join(f"`{kind}`" for kind in missing)
        raise BindError(
            f"the model `{model.manifest.name}` does not find {quoted}; it finds {shown}"
        )
    if not wanted:
        raise BindError(f"the model adds none of the kinds asked for; it finds {shown}")
    recognised = [kind for kind in kinds if kind not in NEED_A_MODEL]
    finder = _finder(recognised) if recognised else None
    return Names(model, wanted, finder, chosen_views(config))


def kind_of(label: str) -> str:
    """The kind that a label of a model stands for; `B-PER` and `PER` are the same."""
    is_tagged = len(label) > 2 and label[0] in _TAGS and label[1] in "-_"
    bare = (label[2:] if is_tagged else label).lower()
    return KIND_OF.get(bare, bare)


class Names:
    """Asks a model for names, and the recognisers for the rest; implements `Caller`.

    Args:
        model: It labels tokens.
        kinds: Those of its kinds that are wanted.
        finder: The recognisers, if any are wanted.
        views: The views that are read.
    """

    __slots__ = ("_finder", "_kinds", "_model", "_needles", "_views")

    def __init__(
        self,
        model: OnnxModel,
        kinds: Collection[str],
        finder: EntityFinder | None,
        views: frozenset[str],
    ) -> None:
        self._model = model
        self._kinds = frozenset(kinds)
        self._finder = finder
        self._needles = [prepare(needle) for needle in finder.needles("plain")] if finder else []
        self._views = views

    async def call(self, subject: Subject) -> Answer:
        """Everything found in any view, in places of the original."""
        hits: list[Hit] = []
        read: set[str] = set()
        for view in views_to_read(subject, self._views):
            if view.form == "plain" and view.text not in read:
                read.add(view.text)
                found = [*await self._named(view.text, subject.surface), *self._shaped(view.text)]
                hits += (_back(view, hit) for hit in found)
        if hits:
            return Answer(True, outermost(hits))
        return NO if subject.is_complete or self._views == {"raw"} else UNKNOWN

    async def _named(self, text: str, surface: str) -> Iterable[Hit]:
        reading = await self._model.read(text, surface)
        found: list[Hit] = []
        for span in reading.spans:
            kind = kind_of(span.label)
            name = text[span.start : span.end]
            start = span.start + len(name) - len(name.lstrip())
            end = start + len(name.strip())
            if kind in self._kinds and start < end:
                found.append(Hit(start, end, kind.upper()))
        return found

    def _shaped(self, text: str) -> Iterable[Hit]:
        if self._finder is None:
            return ()
        data = encoded(text)
        seen = [i for i, needle in enumerate(self._needles) if needle.regex.search(data)]
        return self._finder.find(text, seen, "plain") if seen else ()


def _back(view: Viewed, hit: Hit) -> Hit:
    start, end = view.back(hit.start, hit.end)
    return Hit(start, end, hit.label)
