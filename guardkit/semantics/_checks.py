"""`check NAME = kind { … }`: every property typed by the kind's spec and turned into plain data."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from guardkit._util import values
from guardkit.catalog import Answers, CheckSpec, PropertySpec
from guardkit.diagnostics import Edit, Fix, Label, Span, did_you_mean
from guardkit.syntax import ast

from ._library import Data, LibraryError
from ._patterns import UNBOUNDED, compile_pattern
from ._policy import Check, Config, Plain
from ._scope import Scope
from ._values import bind_value, found_name

_MEASURED = {"pattern": ("match",), "words": ("list", "file")}
"""Kinds whose longest match follows from what they look for."""
MOST_BLANKS = 8
"""So many blanks in a row count as one between the words of an entry."""

BOUNDED_VALIDATORS = frozenset({"entropy"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CALL = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_PROBLEMS = {
    "missing": "there is no such file",
    "outside": "it leads outside the policy's folder",
    "not-a-file": "it is not a file",
    "too-large": "it is too large",
    "unreadable": "it cannot be read",
    "not-text": "it is not UTF-8 text",
}


def check_declaration(scope: Scope, node: ast.Check) -> Check | None:
    """Understand one check. None (and a diagnostic) where it cannot be used."""
    spec = scope.catalog.specs.get(node.kind.text)
    if spec is None:
        scope.error(
            "unknown-kind",
            node.kind,
            f"no check kind is called `{node.kind.text}`",
            help=did_you_mean(node.kind.text, scope.catalog.specs)
            or "kinds are " + ", ".join(f"`{kind}`" for kind in sorted(scope.catalog.specs)),
        )
        return None
    before = len(scope.report)
    config: dict[str, Plain] = {}
    seen: dict[str, ast.Property] = {}
    for item in node.properties:
        _one(scope, spec, item, config, seen)
    for name in (p.name for p in spec.properties if p.required):
        if name not in seen:
            _missing(scope, node, spec, f"`{name}`")
    if spec.one_of and not any(name in seen for name in spec.one_of):
        _missing(scope, node, spec, " or ".join(f"`{name}`" for name in spec.one_of))
    elif spec.one_of and all(config.get(name) == () for name in spec.one_of if name in seen):
        _missing(scope, node, spec, " or ".join(f"`{name}`" for name in spec.one_of))  # `[]`
    _has_digest(scope, node, spec, config)
    if any(diagnostic.is_error for diagnostic in scope.report[before:]):
        return None
    if spec.spans:
        config["width"] = _width(spec, config)
    return Check(
        name=scope.qualified(node.name.dotted),
        kind=spec.kind,
        answers=_answers(spec, config),
        spans=spec.spans,
        label=_label(spec, config, node),
        labels=_texts(config.get("labels")) or spec.labels,
        config=_sorted(config),
        place=scope.place(node.name),
    )


def _answers(spec: CheckSpec, config: dict[str, Plain]) -> Answers:
    chosen = config.get("answers")
    if chosen in ("answer", "score", "number"):
        return chosen  # type: ignore[return-value]  # narrowed by the line above
    for name, answers in spec.answers_with:
        if name in config:
            return answers
    return spec.answers


def _label(spec: CheckSpec, config: dict[str, Plain], node: ast.Check) -> str:
    """What `{label}` shows; empty for entities, whose findings carry labels of their own."""
    if spec.kind == "entities":
        return str(config.get("label", "")).upper()
    return str(config.get("label") or node.name.parts[-1]).upper()


def _one(
    scope: Scope,
    spec: CheckSpec,
    item: ast.Property,
    config: dict[str, Plain],
    seen: dict[str, ast.Property],
) -> None:
    name = item.name.text
    known = spec.property(name)
    if known is None:
        names = [p.name for p in spec.properties]
        scope.error(
            "unknown-property",
            item.name,
            f"`{spec.kind}` has no property `{name}`",
            help=did_you_mean(name, names)
            or (
                f"`{spec.kind}` takes " + ", ".join(f"`{n}`" for n in names)
                if names
                else f"`{spec.kind}` takes no properties"
            ),
        )
        return
    if name in seen and not known.repeated:
        scope.error(
            "duplicate-clause",
            item.name,
            f"`{name}` is given twice",
            labels=(Label(scope.place(seen[name].name), "given here first"),),
        )
        return
    seen[name] = item
    if item.options and known.type != "call":
        after = scope.source.text.index("with", item.value.span.end)
        scope.error(
            "wrong-value",
            Span(after, item.span.end),
            f"`{name}` takes no options",
            help="remove `with (…)`",
        )
        return
    plain = _READERS[known.type](scope, known, item)
    if plain is None:
        return
    if known.repeated:
        earlier = config.get(name, ())
        config[name] = (*(earlier if isinstance(earlier, tuple) else ()), plain)
    else:
        config[name] = plain
    if item.options:
        config["options"] = _options(scope, item.options)


def _options(scope: Scope, options: tuple[ast.Argument, ...]) -> Plain:
    found: list[Plain] = []
    for option in sorted(options, key=lambda option: option.label):
        value = option.value
        if isinstance(value, ast.Ref) and value.dotted in scope.broken:
            continue
        if isinstance(value, ast.Ref) and value.dotted in scope.params:
            scope.use("param", value.dotted)
            plain = scope.params[value.dotted].value
            if plain is None:
                continue  # its own mistake is reported where it was made
        elif isinstance(value, ast.Literal):
            plain = value.value
        elif isinstance(value, ast.ListOf):
            plain = tuple(i.value for i in value.items if isinstance(i, ast.Literal))
        else:
            plain = None
        if plain is None:
            scope.error("wrong-value", value, f"`{option.label}` needs a plain value")
        else:
            found.append((option.label, plain))
    return tuple(found)


# --- one reader per property type: (scope, spec, property) -> plain value, or None and a diagnostic

Reader = Callable[[Scope, PropertySpec, ast.Property], "Plain | None"]


_QUOTED = frozenset({"text", "texts", "domains", "file", "model", "call"})


def _wrong(scope: Scope, spec: PropertySpec, item: ast.Property, wants: str) -> None:
    value, fix = item.value, None
    if spec.type in _QUOTED and isinstance(value, ast.Chosen) and not value.op:
        fix = Fix(
            "put it in quotes", (Edit(scope.place(value), f'"{value.word.text}"'),), safe=False
        )
    wants, _, example = wants.partition(", such as ")
    help = [f"`{spec.name}`: {spec.doc}"]
    if example:
        help.append(f"write for instance {example}")
    if spec.type in ("texts", "domains") and isinstance(value, ast.Chosen) and not value.op:
        type = "domain" if spec.type == "domains" else "text"
        help.append(f"or declare `param {value.word.text}: list of {type} = […]`")
    scope.error(
        "wrong-value",
        value,
        f"`{spec.name}` is {wants}, not {found_name(value)}",
        help=help,
        fix=fix,
    )


def _param_value(
    scope: Scope, item: ast.Property, type: str, is_list: bool
) -> tuple[bool, Plain | None]:
    """(True, value) when the property is the name of a parameter."""
    value = item.value
    if not isinstance(value, ast.Chosen) or value.op:
        return False, None
    if value.word.text in scope.broken:
        return True, None
    if value.word.text not in scope.params:
        return False, None
    ref = ast.Ref(value.word.span, (value.word.text,))
    return True, bind_value(scope, ref, type, is_list, f"`{item.name.text}`")


def _text(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "text", False)
    if is_param:
        return value
    if isinstance(item.value, ast.Literal) and item.value.kind == "text" and item.value.value:
        return item.value.value
    _wrong(scope, spec, item, "a text in double quotes")
    return None


def _texts_of(type: str) -> Reader:
    def read(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
        is_param, value = _param_value(scope, item, type, True)
        if is_param:
            return _without_blanks(scope, spec, item, value)
        if isinstance(item.value, ast.ListOf) and item.value.items:
            value = bind_value(scope, item.value, type, True, f"`{spec.name}`")
            return _without_blanks(scope, spec, item, value)
        if isinstance(item.value, ast.Literal):
            plain = bind_value(scope, item.value, type, False, f"`{spec.name}`")
            value = None if plain is None else (plain,)
            return _without_blanks(scope, spec, item, value)
        _wrong(scope, spec, item, f"a list of {'host names' if type == 'domain' else 'texts'}")
        return None

    return read


def _without_blanks(
    scope: Scope, spec: PropertySpec, item: ast.Property, value: Plain | None
) -> Plain | None:
    """The texts, unless one of them is blank: nothing would ever be found by it."""
    entries = _texts(value)
    if all(entry.strip() for entry in entries):
        return value
    at = next(number for number, entry in enumerate(entries) if not entry.strip())
    written = item.value.items if isinstance(item.value, ast.ListOf) else ()
    scope.error(
        "wrong-value",
        written[at] if at < len(written) else item.value,
        f"an entry of `{spec.name}` is blank",
        help=f"`{spec.name}`: {spec.doc}",
    )
    return None


def _word(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "text", False)
    if is_param:
        return value if value is None or _choice(scope, spec, item.value, str(value)) else None
    if isinstance(item.value, ast.Chosen) and not item.value.op:
        word = item.value.word.text
        return word if _choice(scope, spec, item.value, word) else None
    _wrong(scope, spec, item, "one of " + ", ".join(f"`{c}`" for c in spec.choices))
    return None


def _words(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "text", True)
    if is_param:
        chosen = _texts(value)
        if value == ():
            scope.error("wrong-value", item.value, f"`{spec.name}` needs a word; the list is empty")
        return tuple(sorted(chosen)) if value and _all_choices(scope, spec, item, chosen) else None
    if isinstance(item.value, ast.Chosen) and not item.value.op:
        word = item.value.word.text
        return (word,) if _choice(scope, spec, item.value, word) else None
    if isinstance(item.value, ast.ListOf) and item.value.items:
        found: list[str] = []
        for entry in item.value.items:
            if (
                isinstance(entry, ast.Literal)
                and entry.kind == "answer"
                and entry.raw in spec.choices
            ):
                found.append(entry.raw)  # `no` is Norwegian where languages are listed
            elif isinstance(entry, ast.Ref):
                if _choice(scope, spec, entry, entry.dotted):
                    found.append(entry.dotted)
            else:
                scope.error(
                    "wrong-value",
                    entry,
                    f"`{spec.name}` lists words, and words stand without quotes",
                    fix=_without_quotes(scope, spec, entry),
                )
        return tuple(sorted(set(found))) if len(found) == len(item.value.items) else None
    _wrong(scope, spec, item, "a list of words")
    return None


def _without_quotes(scope: Scope, spec: PropertySpec, entry: ast.Node) -> Fix | None:
    word = str(entry.value) if isinstance(entry, ast.Literal) else ""
    if word not in spec.choices:
        return None
    return Fix(f"write `{word}`", (Edit(scope.place(entry), word),))


def _all_choices(
    scope: Scope, spec: PropertySpec, item: ast.Property, words: tuple[str, ...]
) -> bool:
    return not [word for word in words if not _choice(scope, spec, item.value, word)]


def _choice(scope: Scope, spec: PropertySpec, node: ast.Node, word: str) -> bool:
    if not spec.choices or word in spec.choices:
        return True
    known = ", ".join(f"`{c}`" for c in spec.choices[:12])
    more = ", …" if len(spec.choices) > 12 else ""
    scope.error(
        "unknown-choice",
        node,
        f"`{word}` is not a choice of `{spec.name}`",
        help=did_you_mean(word, spec.choices) or f"choices are {known}{more}",
    )
    return False


def _number(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "number", False)
    if not is_param:
        if not isinstance(item.value, ast.Sized):
            _wrong(scope, spec, item, "a number")
            return None
        if item.value.unit is not None:
            scope.error(
                "bad-unit",
                item.value.unit,
                f"`{spec.name}` has no unit",
                help=f"write `{spec.name} {item.value.number.raw}`",
            )
            return None
        value = float(item.value.number.value)
    return value if value is None or _in_range(scope, spec, item.value, float(str(value))) else None


def _size(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "number", False)
    unit = spec.choices[0]
    if not is_param:
        if not isinstance(item.value, ast.Sized):
            _wrong(scope, spec, item, f"a number with a unit, such as `40 {unit}`")
            return None
        value = float(item.value.number.value)
        if item.value.unit is not None:
            unit = item.value.unit.text
            if unit not in spec.choices:
                scope.error(
                    "bad-unit",
                    item.value.unit,
                    f"`{spec.name}` is not measured in `{unit}`",
                    help=f"write `{item.value.number.raw} {spec.choices[0]}`"
                    if len(spec.choices) == 1
                    else "units are " + ", ".join(f"`{choice}`" for choice in spec.choices),
                )
                return None
    if value is None or not _in_range(scope, spec, item.value, float(str(value))):
        return None
    return (float(str(value)), unit)


def _duration(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    is_param, value = _param_value(scope, item, "duration", False)
    if not is_param:
        if not (isinstance(item.value, ast.Literal) and item.value.kind == "duration"):
            _wrong(scope, spec, item, "a duration, such as `2s`")
            return None
        value = item.value.value
    return value if value is None or _in_range(scope, spec, item.value, float(str(value))) else None


def _in_range(scope: Scope, spec: PropertySpec, node: ast.Node, value: float) -> bool:
    low, high = spec.minimum, spec.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return True
    show = values.format_duration if spec.type == "duration" else _plain_number
    if low is not None and high is not None:
        wants = f"from {show(int(low))} to {show(int(high))}"
    elif low is not None:
        wants = f"at least {show(int(low))}"
    else:
        wants = f"at most {show(int(high or 0))}"
    scope.error("out-of-range", node, f"`{spec.name}` is {wants}")
    return False


def _plain_number(value: int) -> str:
    return f"{value:,}"


def _pattern(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    if not isinstance(item.value, ast.Pattern):
        _wrong(scope, spec, item, "a pattern, such as `/\\bNB-\\d{8}\\b/`")
        return None
    compiled = compile_pattern(scope, item.value)
    return (compiled.source, compiled.flags, compiled.width) if compiled else None


def _validator(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    value = item.value
    if not isinstance(value, ast.Chosen):
        _wrong(scope, spec, item, "a validator, such as `luhn` or `entropy >= 3.5`")
        return None
    name = value.word.text
    if not _choice(scope, spec, value.word, name):
        return None
    if name not in BOUNDED_VALIDATORS:
        if value.op:
            scope.error("wrong-value", value, f"`{name}` takes no bound")
            return None
        return (name, 0.0)
    if value.op != ">=" or value.bound is None:
        scope.error("wrong-value", value, f"`{name}` needs a bound", help=f"write `{name} >= 3.5`")
        return None
    return (name, float(value.bound.value))


def read_file(scope: Scope, node: ast.Literal, what: str) -> Data | None:
    """A data file the policy names, or None and a diagnostic."""
    name = str(node.value)
    try:
        return scope.library.data(name, scope.source)
    except LibraryError as error:
        slug = "path-outside-root" if error.kind == "outside" else "missing-file"
        scope.error(
            slug,
            node,
            f"{what} `{name}` cannot be used: {_PROBLEMS[error.kind]}",
            help="paths are relative to this file and stay inside the policy's folder",
        )
        return None


def _file(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    if not (isinstance(item.value, ast.Literal) and item.value.kind == "text"):
        _wrong(scope, spec, item, "a file name in double quotes")
        return None
    data = read_file(scope, item.value, "the file")
    if data is None:
        return None
    longest = max(
        (_widest(line.decode("latin-1")) for line in data.content.split(b"\n")), default=0
    )
    return (data.name, f"sha256:{hashlib.sha256(data.content).hexdigest()}", longest)


def _model(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    if isinstance(item.value, ast.Literal) and item.value.kind == "text":
        path = str(item.value.value)
        parts = path.replace("\\", "/").split("/")
        if path.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in path:
            scope.error(
                "path-outside-root",
                item.value,
                f"the model `{path}` leads outside the policy's folder",
                help="paths are relative to this file",
            )
            return None
        return scope.library.folder(path, scope.source)
    return _word(scope, spec, item)


def _digest(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    plain = _text(scope, spec, item)
    if plain is None or _DIGEST.fullmatch(str(plain)):
        return plain
    scope.error(
        "bad-digest",
        item.value,
        "a digest is `sha256:` and 64 hexadecimal digits in lower case",
        help="`guardkit models verify DIRECTORY` prints it",
    )
    return None


def _call(scope: Scope, spec: PropertySpec, item: ast.Property) -> Plain | None:
    plain = _text(scope, spec, item)
    if plain is None or _CALL.fullmatch(str(plain)):
        return plain
    scope.error(
        "wrong-value",
        item.value,
        f"`{spec.name}` names a module and what to take from it",
        help='write `"package.module:name"`, with a colon before the name',
    )
    return None


_READERS: dict[str, Reader] = {
    "text": _text,
    "texts": _texts_of("text"),
    "domains": _texts_of("domain"),
    "word": _word,
    "words": _words,
    "number": _number,
    "size": _size,
    "duration": _duration,
    "pattern": _pattern,
    "validator": _validator,
    "file": _file,
    "model": _model,
    "digest": _digest,
    "call": _call,
}


def _missing(scope: Scope, node: ast.Check, spec: CheckSpec, what: str) -> None:
    scope.error(
        "missing-property",
        node.kind,
        f"the check `{node.name.dotted}` needs {what}",
        help=[f"`{p.name}`: {p.doc}" for p in spec.properties if f"`{p.name}`" in what],
    )


def _has_digest(scope: Scope, node: ast.Check, spec: CheckSpec, config: dict[str, Plain]) -> None:
    """A model directory of one's own may change under a policy that does not pin it."""
    model = spec.property("model")
    if model is None or config.get("model") in (None, *model.choices):
        return
    if spec.property("digest") and not any(p.name.text == "digest" for p in node.properties):
        _missing(scope, node, spec, "`digest`")


def _widest(entry: str) -> int:
    """The longest text that an entry of a word list matches: a blank stands for a few."""
    return len(entry) + (MOST_BLANKS - 1) * entry.count(" ")


def _width(spec: CheckSpec, config: dict[str, Plain]) -> int:
    """The longest match in characters; -1 where there is no upper bound."""
    bound = config.get(spec.width_from)
    if isinstance(bound, tuple) and isinstance(bound[0], float):
        return int(bound[0])
    widths: list[int] = []
    for name in _MEASURED.get(spec.kind, ()):
        found = config.get(name, ())
        for entry in found if isinstance(found, tuple) else ():
            if isinstance(entry, tuple) and isinstance(entry[-1], int):
                widths.append(entry[-1])
            elif isinstance(entry, str):
                widths.append(_widest(entry))
    if not widths:
        chosen = {word for value in config.values() if isinstance(value, tuple) for word in value}
        return max([spec.width, *(width for word, width in spec.widths if word in chosen)])
    return UNBOUNDED if UNBOUNDED in widths else max(widths)


def _texts(value: Plain | None) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, tuple) else ()


def _sorted(config: dict[str, Plain]) -> Config:
    return tuple(sorted(config.items()))
