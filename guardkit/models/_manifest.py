"""`guardkit.json`: what a model directory says of itself, and the limits on all of it.

A manifest names every file of its directory by SHA-256, so the digest of the manifest pins them
all. Nothing in it is believed before it is checked: numbers are finite and bounded, names are plain
file names, and what is unknown is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import exp, isfinite, log
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from guardkit.diagnostics import visible
from guardkit.errors import BindError

MANIFEST: Final = "guardkit.json"
MOST_MANIFEST: Final = 1 << 20
"""How many bytes a manifest may have."""
MOST_FILES: Final = 16
"""How many files a model may have beside its manifest."""
MOST_HEADS: Final = 64
MOST_LABELS: Final = 1000
MOST_TOKENS: Final = 8192
"""How many tokens a window may have."""
MOST_TOKEN_ID: Final = 10_000_000
MOST_DIM: Final = 8192

FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a file of a model may be called: no folder, no dot in front, nothing a shell would read."""

Kind = Literal["onnx", "static"]

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "onnx": ("model.onnx", "tokenizer.json"),
    "static": ("table.npy", "tokenizer.json"),
}


def _is_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line of printable text")
    return text


def _is_file_name(name: str) -> str:
    if not FILE_NAME.fullmatch(name) or name.endswith("."):
        raise ValueError("must be a plain file name")
    if name.lower() == MANIFEST or name.lower().endswith(".md"):
        raise ValueError("must not be the manifest or a page")
    return name


def _is_finite(value: JsonValue) -> JsonValue:
    waiting: list[JsonValue] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float) and not isfinite(one):
            raise ValueError("must hold finite numbers")
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return value


Line = Annotated[str, Field(max_length=500), AfterValidator(_is_line)]
Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_is_line)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
FileName = Annotated[str, AfterValidator(_is_file_name)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}\z")]
TokenId = Annotated[int, Field(ge=0, le=MOST_TOKEN_ID)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Evidence = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    # Not read by attribute protection: `model_` is a word of ours.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Window(_Part):
    """How a text is cut: in tokens of the model, overlapping, with what the model wants around."""

    tokens: int = Field(ge=4, le=MOST_TOKENS)
    """The longest window, `lead`, surface mark and `tail` counted."""
    overlap: int = Field(ge=0, le=MOST_TOKENS)
    lead: tuple[TokenId, ...] = Field(default=(), max_length=16)
    tail: tuple[TokenId, ...] = Field(default=(), max_length=16)
    pad: TokenId = 0
    surfaces: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}\z")], TokenId] = Field(
        default_factory=dict, max_length=32
    )
    """The token that stands after `lead` for a text of this surface; empty: it knows none."""
    batch: bool = False
    """Whether a window gives the same numbers alone and beside others. With weights that are
    quantised as they run it does not: the scale is that of all that runs together."""

    @property
    def room(self) -> int:
        """How many tokens of the text fit into one window."""
        return self.tokens - len(self.lead) - len(self.tail) - bool(self.surfaces)

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        # INVARIANT: a text costs at most twice its tokens, however it is cut.
        if self.room < 1 or self.overlap * 2 > self.room:
            raise ValueError("overlap must be at most half of what a window holds of the text")
        return self


class Embedding(_Part):
    """Which output is the embedding, and how it is had of tokens."""

    output: Word
    dim: int = Field(ge=1, le=MOST_DIM)
    pooling: Literal["none", "mean", "first"]


class Head(_Part):
    """Some columns of an output, what they mean, and how they were calibrated."""

    name: Name
    output: Word
    at: int = Field(default=0, ge=0, le=100_000)
    """The first column; each label has one."""
    labels: tuple[Word, ...] = Field(min_length=1, max_length=MOST_LABELS)
    kind: Literal["sigmoid", "softmax"]
    rest: Word | None = None
    """The label that means: none of the others."""
    scale: float = Field(default=1.0, gt=0, le=1e3, allow_inf_nan=False)
    shifts: tuple[tuple[Count, Evidence], ...] = Field(
        default=((1, 0.0),), min_length=1, max_length=64
    )
    """From so many windows on, so much is taken off the evidence."""
    fpr: tuple[tuple[Share, Score], ...] = Field(default=(), max_length=64)
    """Which score or more has which share of benign texts."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be different")
        if self.rest is not None and self.rest not in self.labels:
            raise ValueError("rest must be one of the labels")
        if self.kind == "softmax" and len(self.labels) < 2:
            raise ValueError("a softmax head needs two labels")
        counts = [count for count, _ in self.shifts]
        if counts[0] != 1 or counts != sorted(set(counts)):
            raise ValueError("shifts must begin with 1 and rise")
        rates = [rate for rate, _ in self.fpr]
        scores = [score for _, score in self.fpr]
        if rates != sorted(set(rates)) or scores != sorted(scores, reverse=True):
            raise ValueError("fpr must be sorted: rates rise, scores fall")
        return self

    def shift(self, windows: int) -> float:
        """What is taken off the evidence of a text of so many windows."""
        return next(s for count, s in reversed(self.shifts) if count <= max(windows, 1))

    def score(self, z: float, windows: int) -> float:
        """The calibrated score of evidence from the worst of so many windows."""
        x = self.scale * (z - self.shift(windows))
        return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))

    def threshold(self, rate: float) -> float | None:
        """The score that this share of benign texts reaches; None outside of what was measured.

        Between two measured rates the score is interpolated over the logarithm of the rate.
        """
        for (below, high), (above, low) in zip(self.fpr, self.fpr[1:], strict=False):
            if below <= rate <= above:
                part = (log(rate) - log(below)) / (log(above) - log(below))
                return high + (low - high) * part
        return next((score for known, score in self.fpr if known == rate), None)

    def answer(self, scores: tuple[float, ...]) -> str:
        """The label these scores speak for."""
        found = [(s, i) for i, s in enumerate(scores) if self.labels[i] != self.rest]
        best, where = max(found, key=lambda pair: (pair[0], -pair[1]), default=(0.0, 0))
        return self.rest if self.rest is not None and best < 0.5 else self.labels[where]


class Tokens(_Part):
    """Token classification: which output, and what its columns are called (`O`, `B-PER` …)."""

    output: Word
    labels: tuple[Word, ...] = Field(min_length=2, max_length=MOST_LABELS)


class Manifest(_Part):
    """What a model directory says of itself."""

    format: Literal[1]
    name: Name
    version: Name
    kind: Kind
    licence: Line
    source: Line
    files: dict[FileName, Digest] = Field(min_length=1, max_length=MOST_FILES)
    """Every file of the directory but the manifest and pages (`*.md`)."""
    base: Literal["static"] | None = None
    """The shipped tier whose table and tokenizer a static model uses."""
    window: Window
    embedding: Embedding | None = None
    heads: tuple[Head, ...] = Field(default=(), max_length=MOST_HEADS)
    tokens: Tokens | None = None
    card: Annotated[dict[str, JsonValue], AfterValidator(_is_finite)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        names = [head.name for head in self.heads]
        if len(set(names)) != len(names):
            raise ValueError("heads must have different names")
        if not self.heads and self.embedding is None and self.tokens is None:
            raise ValueError("a model needs a head, an embedding or token labels")
        if len({name.lower() for name in self.files}) != len(self.files):
            raise ValueError("files must differ in more than case")
        if self.kind == "onnx" and self.base is not None:
            raise ValueError("only a static model has a base")
        missing = [n for n in _NEEDED[self.kind] if n not in self.files and self.base is None]
        if missing:
            raise ValueError(f"files must name {' and '.join(missing)}")
        if self.base is not None and not self.heads:
            raise ValueError("a model with a base needs a head")
        return self

    def head(self, name: str) -> Head | None:
        """The head of this name."""
        return next((head for head in self.heads if head.name == name), None)

    def dumped(self) -> bytes:
        """The manifest as the bytes of a file: keys in their order, two blanks, a last newline."""
        return (
            json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
        ).encode()


def manifest_of(data: bytes) -> Manifest:
    """The manifest that these bytes are.

    Raises:
        BindError: They are none; everything that is wrong, one sentence each.
    """
    if len(data) > MOST_MANIFEST:
        raise BindError(f"`{MANIFEST}` is larger than {MOST_MANIFEST // 1024} KB")
    try:
        # Two keys of one name are two manifests: readers disagree on which one counts.
        json.loads(data.decode(), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except RecursionError:
        raise BindError(f"`{MANIFEST}` is nested too deeply") from None
    except UnicodeDecodeError:
        raise BindError(f"`{MANIFEST}` is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise BindError(f"`{MANIFEST}` is not JSON: line {error.lineno} is malformed") from None
    except _RefusedError as error:
        raise BindError(f"`{MANIFEST}` {error}") from None
    except ValueError:  # a number of thousands of digits
        raise BindError(f"`{MANIFEST}` is not JSON that can be read") from None
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise BindError(*sentences_of(error, f"`{MANIFEST}`")) from None


def digest_of_bytes(data: bytes) -> str:
    """`sha256:…` of these bytes."""
    return f"sha256:{sha256(data).hexdigest()}"


class _RefusedError(Exception):
    """The rest of a sentence that begins with the name of the file."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RefusedError("names a key twice")
    return found


def _no_constant(_: str) -> object:
    raise _RefusedError("holds a number that is not finite")


_MOST_SAID = 5


def sentences_of(error: ValidationError, what: str) -> Iterator[str]:
    """What is wrong, a sentence for each mistake; nothing that was given is quoted."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    for one in found[:_MOST_SAID]:
        where = ".".join(str(part) for part in one["loc"] if part != "[key]")
        said = one["msg"].removeprefix("Value error, ")
        place = f" at `{visible(where)[:100]}`" if where else ""
        yield f"{what} is wrong{place}: {said[0].lower()}{said[1:]}"
    if len(found) > _MOST_SAID:
        yield f"{what} has {len(found) - _MOST_SAID} more mistakes"
