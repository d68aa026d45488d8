"""A Hugging Face ONNX export becomes a model directory.

What the export says is read, and what it leaves open is worked out: what the tokenizer puts around
a text, how long a window may be, which output means what. What cannot be known is said as a note,
and what would be guessed wrong is refused. Nothing of the export is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import ValidationError

from guardkit._util.contained import ContainmentError, read_contained
from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._fits import input_misfits, misfits, read_tokenizer
from ._manifest import (
    MOST_LABELS,
    Embedding,
    Head,
    Manifest,
    Tokens,
    Window,
    digest_of_bytes,
    sentences_of,
)
from ._onnx_file import OnnxFile, Port, read_onnx
from ._store import MOST_BYTES, MOST_TOKENIZER, refuse_occupied, write_model

Task = Literal["classification", "tokens", "embedding"]
TASKS: Final[tuple[Task, ...]] = ("classification", "tokens", "embedding")

_MOST_JSON: Final = 4 << 20
_LONGEST_WINDOW: Final = 512
_USUAL_WINDOW: Final = 256
_LONGEST_SENSIBLE: Final = 1_000_000
"""Tokenizers without a limit write a number beyond all sense."""
# fmt: off
_SHIFTED: Final = frozenset({
    "bertweet", "camembert", "data2vec-text", "esm", "ibert", "longformer", "mpnet", "roberta",
    "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})
# fmt: on
"""Kinds of model whose positions begin after the number of the padding token."""
_SCALED_AS_IT_RUNS: Final = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"}
)
"""Operators whose scale is that of all windows that run together."""
_PROBES: Final = ("The cat sat on the mat.", "Hello 42")


class Wanted(NamedTuple):
    """What the user said; None is worked out."""

    task: Task | None = None
    window: int | None = None
    overlap: int | None = None
    licence: str | None = None
    name: str | None = None
    version: str | None = None


class Imported(NamedTuple):
    """What was written, and what a person should know about it."""

    manifest: Manifest
    digest: str
    notes: tuple[str, ...]


def import_model(source: Path, out: Path, wanted: Wanted, *, force: bool = False) -> Imported:
    """Write a model directory from a Hugging Face ONNX export.

    Args:
        source: A folder with `model.onnx` or `onnx/model.onnx`, `tokenizer.json` and `config.json`.
        out: The model directory to write.
        wanted: What is not to be worked out.
        force: Whether a model directory that is there already is replaced.

    Raises:
        BindError: It cannot be imported; nothing was written.
    """
    refuse_occupied(out, force=force)
    export = _Export(source)
    graph_bytes, table = export.model(), export.read("tokenizer.json", MOST_TOKENIZER)
    graph, tokenizer = read_onnx(graph_bytes), read_tokenizer(table)
    _raise_any(input_misfits(graph))
    found = _Found(export, graph, tokenizer, wanted)
    files = {"model.onnx": graph_bytes, "tokenizer.json": table}
    try:
        manifest = found.manifest({name: digest_of_bytes(data) for name, data in files.items()})
    except ValidationError as error:
        raise BindError(*sentences_of(error, "the export")) from None
    _raise_any(misfits(manifest, graph, tokenizer))
    return Imported(manifest, write_model(out, manifest, files, force=force), tuple(found.notes))


def _raise_any(problems: Iterator[str]) -> None:
    if found := tuple(problems):
        raise BindError(*found)


# --- the export


class _Export:
    """The files of one export."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BindError(f"`{visible(folder.as_posix())}` is not a folder")
        here = folder.absolute()
        self.folder = here
        # A snapshot of a hub cache holds links to `blobs` two floors up, and nowhere else.
        cached = here.parent.name == "snapshots"
        self.root = here.parent.parent if cached else here
        self.inner = f"{here.parent.name}/{here.name}/" if cached else ""

    def read(self, name: str, limit: int) -> bytes:
        try:
            return read_contained(self.root, self.inner + name, limit)
        except ContainmentError as error:
            if error.kind == "missing":
                raise BindError(f"the export has no `{name}`") from None
            raise BindError(f"`{name}` of the export {_REFUSALS[error.kind]}") from None

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def model(self) -> bytes:
        found = [name for name in ("model.onnx", "onnx/model.onnx") if self.has(name)]
        if len(found) == 2:
            raise BindError("the export has both `model.onnx` and `onnx/model.onnx`; leave one")
        if not found:
            raise BindError("the export has neither `model.onnx` nor `onnx/model.onnx`")
        return self.read(found[0], MOST_BYTES)

    def json(self, name: str, *, needed: bool = False) -> dict[str, Any]:
        if not needed and not self.has(name):
            return {}
        try:
            read = json.loads(self.read(name, _MOST_JSON))
        except (ValueError, RecursionError):
            raise BindError(f"`{name}` of the export is not JSON") from None
        if not isinstance(read, dict):
            raise BindError(f"`{name}` of the export is not a JSON object")
        return read


_REFUSALS: Final = {
    "outside": "leads outside the folder",
    "not-a-file": "is not a regular file",
    "too-large": "is larger than allowed",
    "unreadable": "cannot be read",
}


# --- what it says, and what follows from it


@dataclass(slots=True)
class _Found:
    export: _Export
    graph: OnnxFile
    tokenizer: Any
    wanted: Wanted
    notes: list[str] = field(default_factory=list)

    def manifest(self, files: dict[str, str]) -> Manifest:
        config = self.export.json("config.json", needed=True)
        task = self.wanted.task or self.task(config)
        head = self.head(config) if task == "classification" else None
        named = _line(config.get("_name_or_path")) or self.export.folder.name
        return Manifest(
            format=1,
            name=self.wanted.name or _plain_name(named),
            version=self.wanted.version or "1",
            kind="onnx",
            licence=self.licence(),
            source=f"imported from a Hugging Face ONNX export of {visible(named)[:300]}",
            files=files,
            window=self.window(config),
            heads=(head,) if head is not None else (),
            tokens=self.tags(config) if task == "tokens" else None,
            embedding=self.embedding(config) if task == "embedding" else None,
        )

    def task(self, config: Mapping[str, Any]) -> Task:
        logits = self.graph.output("logits")
        if logits is None:
            if any(self.graph.output(name) for name in _EMBEDDINGS):
                return "embedding"
            outputs = ", ".join(f"`{visible(port.name)}`" for port in self.graph.outputs)
            raise BindError(
                f"the outputs {outputs or '(none)'} are not those of a classification, of token"
                " labels or of an embedding"
            )
        if logits.shape is not None and len(logits.shape) in (2, 3):
            return "classification" if len(logits.shape) == 2 else "tokens"
        said = " ".join(str(name) for name in _list(config.get("architectures")))
        if "ForSequenceClassification" in said:
            return "classification"
        if "ForTokenClassification" in said:
            return "tokens"
        raise BindError("what `logits` means is not clear; say it with `--task`")

    def head(self, config: Mapping[str, Any]) -> Head:
        labels = self.labels(config, self.output("logits", 2))
        problem = config.get("problem_type")
        if problem == "regression" and len(labels) > 1:
            raise BindError("the model estimates numbers; it does not classify")
        is_each = len(labels) == 1 or problem == "multi_label_classification"
        if problem is None and len(labels) > 2:
            self.notes.append(
                "labels were taken to exclude each other: `config.json` has no `problem_type`"
            )
        kind: Literal["sigmoid", "softmax"] = "sigmoid" if is_each else "softmax"
        return Head(name="labels", output="logits", labels=labels, kind=kind)

    def tags(self, config: Mapping[str, Any]) -> Tokens:
        return Tokens(output="logits", labels=self.labels(config, self.output("logits", 3)))

    def labels(self, config: Mapping[str, Any], port: Port) -> tuple[str, ...]:
        """The label of each column."""
        columns = port.shape[-1] if port.shape is not None else None
        named = config.get("id2label")
        if not isinstance(named, dict) or not named:
            if columns is None or columns > MOST_LABELS:
                raise BindError("`config.json` has no `id2label`")
            self.notes.append("`config.json` has no `id2label`: labels are called LABEL_0, …")
            return tuple(f"LABEL_{i}" for i in range(columns))
        if columns is not None and columns != len(named):
            raise BindError(f"`id2label` names {len(named)} labels for {columns} columns")
        try:
            found = {int(key): str(label).strip() for key, label in named.items()}
        except ValueError:
            found = {}
        if sorted(found) != list(range(len(named))):
            raise BindError("`id2label` does not number its labels from 0")
        return tuple(found[i] for i in range(len(found)))

    def embedding(self, config: Mapping[str, Any]) -> Embedding:
        name = next((name for name in _EMBEDDINGS if self.graph.output(name)), "last_hidden_state")
        is_whole = name == "sentence_embedding"
        port = self.output(name, 2 if is_whole else 3)
        dim = port.shape[-1] if port.shape is not None else None
        if dim is None:
            dim = _whole(config.get("hidden_size")) or _whole(config.get("dim"))
        if dim is None:
            raise BindError(f"how many columns `{name}` has is not said anywhere")
        pooling = "none" if is_whole else self.pooling()
        return Embedding(output=name, dim=dim, pooling=pooling)

    def pooling(self) -> Literal["mean", "first"]:
        said = self.export.json("1_Pooling/config.json")
        if not said:
            self.notes.append("tokens are averaged: the export has no `1_Pooling/config.json`")
            return "mean"
        on = {key for key, value in said.items() if key.startswith("pooling_mode_") and value}
        mode = said.get("pooling_mode")
        if on == {"pooling_mode_mean_tokens"} or (not on and mode == "mean"):
            return "mean"
        if on == {"pooling_mode_cls_token"} or (not on and mode == "cls"):
            return "first"
        raise BindError("`1_Pooling/config.json` asks for another pooling than `mean` or `cls`")

    def output(self, name: str, rank: int) -> Port:
        port = self.graph.output(name)
        if port is None:
            raise BindError(f"`model.onnx` has no output `{name}`")
        if port.shape is not None and len(port.shape) != rank:
            wanted = "[windows, columns]" if rank == 2 else "[windows, tokens, columns]"
            raise BindError(f"output `{name}` of `model.onnx` has not the shape {wanted}")
        return port

    # --- the window

    def window(self, config: Mapping[str, Any]) -> Window:
        lead, tail = self.around()
        pad = self.pad(config)
        most, why = self.longest(config, pad)
        tokens = self.wanted.window or min(most or _USUAL_WINDOW, _LONGEST_WINDOW)
        if most is None:
            self.notes.append(f"nothing says how long a text may be: windows have {tokens} tokens")
        elif tokens > most:
            raise BindError(f"a window has at most {most} tokens: {why}")
        room = tokens - len(lead) - len(tail)
        overlap = self.wanted.overlap
        if overlap is None:
            overlap = min(tokens // 4, max(room, 0) // 2)
        batch = not self.graph.operators & _SCALED_AS_IT_RUNS
        return Window(tokens=tokens, overlap=overlap, lead=lead, tail=tail, pad=pad, batch=batch)

    def around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the tokenizer puts before and after a text: found by encoding with and without."""
        found = set()
        for probe in _PROBES:
            full = self.tokenizer.encode(probe, add_special_tokens=True)
            bare = list(self.tokenizer.encode(probe, add_special_tokens=False).ids)
            ids, size = list(full.ids), len(bare)
            at = next((i for i in range(len(ids)) if ids[i : i + size] == bare), None)
            if not bare or at is None:
                raise BindError("what `tokenizer.json` puts around a text is not the same for each")
            found.add((tuple(ids[:at]), tuple(ids[at + size :])))
            if any(full.type_ids) and any(p.name == "token_type_ids" for p in self.graph.inputs):
                raise BindError("the tokenizer gives token types other than 0")
        if len(found) > 1:
            raise BindError("what `tokenizer.json` puts around a text is not the same for each")
        return found.pop()

    def pad(self, config: Mapping[str, Any]) -> int:
        said = self.export.json("tokenizer_config.json").get("pad_token")
        if said is None:
            said = self.export.json("special_tokens_map.json").get("pad_token")
        word = said.get("content") if isinstance(said, dict) else said
        if isinstance(word, str) and (number := self.tokenizer.token_to_id(word)) is not None:
            return int(number)
        pad = config.get("pad_token_id")
        return pad if isinstance(pad, int) and not isinstance(pad, bool) and pad >= 0 else 0

    def longest(self, config: Mapping[str, Any], pad: int) -> tuple[int | None, str]:
        """How long a window may be at most, and who says so."""
        found = []
        positions = _whole(config.get("max_position_embeddings"))
        if positions is None:
            positions = _whole(config.get("n_positions"))
        if positions is not None:
            shifted = str(config.get("model_type", "")) in _SHIFTED
            usable = positions - (pad + 1 if shifted else 0)
            found.append((usable, "`config.json` has no more positions"))
        for name, key in _LENGTHS:
            if length := _whole(self.export.json(name).get(key)):
                found.append((length, f"`{name}` says so"))
        return min(found, default=(None, ""))

    def licence(self) -> str:
        if self.wanted.licence:
            return self.wanted.licence
        if self.export.has("README.md"):
            page = self.export.read("README.md", _MOST_JSON).decode("utf-8", "replace")
            front = re.match(r"---\r?\n(.{0,20000}?)\r?\n---", page, re.DOTALL)
            said = (
                re.search(r"^license:[ \t]*(\S[^\r\n]{0,100})$", front[1], re.M) if front else None
            )
            if said and (line := _line(said[1].strip("'\" "))):
                return line
        self.notes.append("the licence is not known; say it with `--licence`")
        return "unknown"


_EMBEDDINGS: Final = ("sentence_embedding", "last_hidden_state", "token_embeddings")
_LENGTHS: Final = (
    ("tokenizer_config.json", "model_max_length"),
    ("sentence_bert_config.json", "max_seq_length"),
)


def _whole(value: object) -> int | None:
    """A number that can be a size."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _LONGEST_SENSIBLE else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _line(value: object) -> str | None:
    """A text that is one line, or nothing."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return None
    return value.strip()[:300]


def _plain_name(text: str) -> str:
    """A model's name from a path or a title: the last part, of letters, digits, `.`, `_`, `-`."""
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:64] or "imported"
