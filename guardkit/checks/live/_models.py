"""What the checks that read with models share: which model, which views, how near two texts are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from guardkit.catalog import Setting, Subject
from guardkit.diagnostics import nearest, visible
from guardkit.errors import BindError
from guardkit.text import signals_of, views_of

if TYPE_CHECKING:
    from guardkit.models import Head, Manifest, OnnxModel, StaticModel

    Model = StaticModel | OnnxModel

T = TypeVar("T")

TIERS = ("static", "mini")
EMBEDDED_AT = "input"
"""The surface that texts of a policy are read as: examples are what somebody might say."""
_LONGEST_S = 600.0
"""How long reading the texts of one check may take while it is bound."""
_ROWS = 128
"""Vectors that are compared at a time: memory stays small, whatever the text."""


def model_of(config: Mapping[str, object], setting: Setting, otherwise: str) -> Model:
    """The model that a check names: a shipped tier, or a folder of the policy and its digest.

    Args:
        config: The check's settings.
        setting: Where it is bound.
        otherwise: The tier of a check that names none.

    Raises:
        BindError: It cannot be opened, or it is not the one the policy was compiled for.
    """
    from guardkit.models import opened, shipped

    name = str(config.get("model", otherwise))
    digest = config.get("digest")
    folder = shipped(name) if name in TIERS else setting.folder(name)
    _read_views()
    return _as_model(
        opened(folder, device=setting.device, digest=None if digest is None else str(digest))
    )


def tier(name: str, setting: Setting) -> Model:
    """A model that ships.

    Raises:
        BindError: It is not part of this installation, or cannot run here.
    """
    return model_of({}, setting, name)


def _as_model(model: Any) -> Model:  # `opened` gives either kind
    made: Model = model
    return made


def _read_views() -> None:
    # The first look behind a disguise loads tables; a call never does.
    views_of("é", signals_of("é"))


def head_of(manifest: Manifest, name: object) -> Head:
    """The head of this name, or the only one where none is named.

    Raises:
        BindError: There is none such.
    """
    names = [head.name for head in manifest.heads]
    if name is None and len(names) == 1:
        return manifest.heads[0]
    shown = ", ".join(f"`{known}`" for known in names)
    if not names:
        raise BindError(f"the model `{manifest.name}` has no heads")
    if name is None:
        raise BindError(f"`head` is needed: the model `{manifest.name}` has {shown}")
    found = manifest.head(str(name))
    if found is None:
        near = nearest(str(name), names)
        advice = f"did you mean `{near}`?" if near else f"it has {shown}"
        raise BindError(
            f"the model `{manifest.name}` has no head `{visible(str(name))[:64]}`; {advice}"
        )
    return found


def texts_of(subject: Subject) -> tuple[str, ...]:
    """What a model reads of a text: itself, and each plain view that says something else.

    A text of which a part was decoded is read with that part in clear only: the code says nothing
    that the clear text does not, and costs a model many times as much.
    """
    plain = [view for view in subject.views() if view.form == "plain"]
    coded = {view.instead_of for view in plain}
    texts = dict.fromkeys((subject.text, *(view.text for view in plain)))
    return tuple(text for text in texts if text not in coded)


def run_now(read: Callable[[], Awaitable[T]]) -> T:
    """What a coroutine gives, at bind: in a thread of its own, for a loop may be running here."""
    from concurrent.futures import ThreadPoolExecutor

    import anyio

    async def limited() -> T:
        with anyio.fail_after(_LONGEST_S):
            return await read()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, limited).result()


def similarities(vectors: Any, others: Any) -> Any:
    """How near each vector comes to the nearest of the others: cosines. All have unit length."""
    import numpy as np

    from guardkit.models import product

    parts = [
        product(vectors[at : at + _ROWS], others[o : o + _ROWS].T).max(axis=1)
        for at in range(0, len(vectors), _ROWS)
        for o in range(0, len(others), _ROWS)
    ]
    blocks = -(-len(others) // _ROWS)
    rows = [np.maximum.reduce(parts[i : i + blocks]) for i in range(0, len(parts), blocks)]
    return np.concatenate(rows)


def as_share(value: float) -> float:
    """A cosine as a score: nothing is less alike than unrelated."""
    return min(max(float(value), 0.0), 1.0)


def worst(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The highest score of each label in any reading."""
    return tuple(map(max, zip(*rows, strict=True)))
