"""Where the texts of a call stand, decided once from the signature of the callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from guardkit.errors import UsageError
from guardkit.types import Surface

TEXTS = ("messages", "prompt", "input", "question", "query", "text")
SYSTEM = ("system", "system_prompt", "instructions")
TOOLS = ("tools", "functions")
OTHER = ("other_text",)
DOCUMENTS = ("documents", "retrieved", "passages", "chunks")

Call = Mapping[str, Any]
"""The arguments of one call by name, defaults included."""


class Lens(NamedTuple):
    """A way to the texts in a value, and back.

    Args:
        get: Gives a text or several.
        set: Gives a copy of the value with these texts, in the same order. Without it a text can
            be judged, but a rule that rewrites it is an error.
    """

    get: Callable[[Any], str | Iterable[str]]
    set: Callable[[Any, Sequence[str]], Any] | None = None


TextOption = str | Sequence[str] | Callable[[Call], str | Iterable[str]] | Lens | None
Role = Literal["text", "system", "tools", "documents", "other"]
MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Source:
    """One argument that holds text."""

    name: str
    role: Role
    place: int | None = None
    """Its place among positional arguments; None where it is given by name only."""
    default: Any = MISSING
    field: str | None = None
    """The field of a pydantic model that holds the text."""
    takes_messages: bool = False

    @property
    def surface(self) -> Surface:
        return "retrieved" if self.role == "documents" else "input"

    def get(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The argument, its default, or `MISSING`."""
        if self.place is not None and len(args) > self.place:
            value = args[self.place]
        else:
            value = kwargs.get(self.name, self.default)
        return value if self.field is None or value is MISSING else getattr(value, self.field, None)

    def put(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], new: Any
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The arguments with another text."""
        at = self.place
        if self.field is not None:
            model = Source(self.name, self.role, at, self.default)
            new = model.get(args, kwargs).model_copy(update={self.field: new})
        if at is not None and len(args) > at:
            return (*args[:at], new, *args[at + 1 :]), kwargs
        if at is not None and len(args) == at and self.name not in kwargs:
            return (*args, new), kwargs
        return args, {**kwargs, self.name: new}


@dataclass(frozen=True, slots=True)
class Texts:
    """The plan of a callable: which arguments are judged, and as what."""

    sources: tuple[Source, ...]
    signature: inspect.Signature
    lens: Lens | None = None
    has_more: bool = False
    """Whether `**kwargs` may carry more of the known names."""

    @property
    def only(self) -> Source | None:
        """The one argument that a plain prompt function has."""
        one = self.sources[0] if len(self.sources) == 1 and self.lens is None else None
        return one if one is not None and one.field is None else None

    @property
    def system(self) -> Source | None:
        """The argument that takes a system prompt."""
        return next((each for each in self.sources if each.role == "system"), None)

    @property
    def main(self) -> Source | None:
        """The argument that asks."""
        return next((each for each in self.sources if each.role == "text"), None)

    def of(self, kwargs: Mapping[str, Any]) -> tuple[Source, ...]:
        """The sources of one call."""
        if not self.has_more:
            return self.sources
        named = {each.name for each in self.sources}
        more = (_companion(name, None, MISSING) for name in kwargs if name not in named)
        return (*self.sources, *(each for each in more if each is not None))

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """All arguments by name. Where the caller named each, there is nothing to find out."""
        if not args and kwargs.keys() == self.signature.parameters.keys():
            return kwargs
        return self.bound(args, kwargs).arguments

    def bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments by name."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound


def find_texts(function: Callable[..., Any], text: TextOption) -> Texts:
    """Decide where the texts stand.

    Raises:
        UsageError: Nowhere, or in more than one place.
    """
    signature = _signature(function)
    parameters = dict(signature.parameters)
    has_more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    if isinstance(text, Lens) or callable(text):
        lens = text if isinstance(text, Lens) else Lens(text)
        return Texts(_companions(parameters), signature, lens, has_more)
    if text is not None:
        names = [text] if isinstance(text, str) else list(text)
        found = [_named(function, parameters, name, has_more) for name in names]
    else:
        found = [_guess(function, parameters)]
    taken = {each.name for each in found}
    more = tuple(each for each in _companions(parameters) if each.name not in taken)
    if found[0].field is not None:
        more += _fields(found[0], parameters[found[0].name].annotation)
    return Texts((*found, *more), signature, None, has_more)


def _guess(function: Callable[..., Any], parameters: dict[str, inspect.Parameter]) -> Source:
    if named := [name for name in TEXTS if name in parameters]:
        return _only(function, named, parameters)
    companions = {*SYSTEM, *TOOLS, *DOCUMENTS, *OTHER}
    own = {
        name: each
        for name, each in parameters.items()
        if name not in companions and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    texts = [name for name, each in own.items() if _is_text(each.annotation)]
    required = [name for name in texts if own[name].default is MISSING]
    if texts:
        return _only(function, required or texts[:1], parameters)
    models = [name for name, each in own.items() if _model_field(each.annotation)]
    return _only(function, models, parameters)


def _only(
    function: Callable[..., Any], names: list[str], parameters: dict[str, inspect.Parameter]
) -> Source:
    if len(names) == 1:
        each = parameters[names[0]]
        return _source(parameters, each, "text", _model_field(each.annotation))
    if names:
        listed = " and ".join(f"`{name}`" for name in names)
        raise UsageError(
            f"`{_name(function)}` has more than one parameter that may hold the text, {listed}: "
            f'say which with `text="{names[0]}"`, or `text={(*names,)!r}` to judge all of them'
        )
    shown = ", ".join(f"`{each}`" for each in parameters.values()) or "none"
    raise UsageError(
        f"`{_name(function)}` has no parameter that holds the text (its parameters: {shown}): "
        f"name one {', '.join(f'`{name}`' for name in TEXTS)}, annotate one as `str`, "
        'or say which with `text="name"` or `text=function`'
    )


def _named(
    function: Callable[..., Any], parameters: dict[str, inspect.Parameter], name: str, more: bool
) -> Source:
    each = parameters.get(name)
    if each is not None and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
        return _source(parameters, each, "text", _model_field(each.annotation))
    if more:
        return Source(name, "text", takes_messages=name == "messages")
    raise UsageError(f"`{_name(function)}` has no parameter `{name}`, which `text=` names")


def _source(
    parameters: dict[str, inspect.Parameter],
    each: inspect.Parameter,
    role: Role,
    field: str | None = None,
) -> Source:
    place = None
    if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD):
        place = list(parameters).index(each.name)
    shown = str(each.annotation)
    takes = (field or each.name) == "messages" or (
        each.annotation is not MISSING and ("list[" in shown.lower() or "Sequence[" in shown)
    )
    return Source(each.name, role, place, each.default, field, takes)


def _companion(name: str, place: int | None, default: Any) -> Source | None:
    roles: tuple[tuple[Role, tuple[str, ...]], ...] = (
        ("system", SYSTEM),
        ("tools", TOOLS),
        ("documents", DOCUMENTS),
        ("other", OTHER),
    )
    role = next((role for role, names in roles if name in names), None)
    return None if role is None else Source(name, role, place, default)


def _companions(parameters: dict[str, inspect.Parameter]) -> tuple[Source, ...]:
    found = []
    for each in parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        made = _companion(each.name, None, MISSING)
        if made is not None:
            found.append(_source(parameters, each, made.role))
    return tuple(found)


def _fields(model: Source, annotation: Any) -> tuple[Source, ...]:
    """The system prompt, tools and documents that a model carries beside its text."""
    found = []
    for name in annotation.model_fields:
        made = _companion(name, None, MISSING)
        if made is not None and name != model.field:
            found.append(Source(model.name, made.role, model.place, model.default, name))
    return tuple(found)


def _model_field(annotation: Any) -> str | None:
    fields = getattr(annotation, "model_fields", None)
    if not isinstance(annotation, type) or not isinstance(fields, dict):
        return None
    named = [name for name in TEXTS if name in fields]
    if len(named) > 1:
        listed = " and ".join(f"`{name}`" for name in named)
        raise UsageError(
            f"`{annotation.__qualname__}` has more than one field that may hold the text, "
            f"{listed}: say how to read it with `text=Lens(get, set)`"
        )
    texts = [name for name, each in fields.items() if each.annotation is str]
    return (named or texts or [None])[0]


def _is_text(annotation: Any) -> bool:
    return annotation is str or annotation == "str"


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except (NameError, AttributeError, SyntaxError):
        return inspect.signature(function)  # annotations that exist for type checkers only
    except (TypeError, ValueError):
        raise UsageError(
            f"`{_name(function)}` does not say which arguments it takes: put it in a function"
        ) from None


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__
