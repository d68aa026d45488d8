"""`entities` with a model: names beside what the recognisers find, in places of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from guardkit.catalog import Answer, Caller
from guardkit.checks.live import _entities
from guardkit.errors import BindError
from guardkit.models import digest_of

from ..models import _made as onnx
from ..models import _made_static as static
from ._around import Here, Read, Seen

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-DAY", "I-DAY"]
TAGS = {"alice": 1, "bob": 1, "paris": 3, "london": 3, "acme": 5, "monday": 7}
TEXT = "Alice went from Paris to Acme on Monday, write alice@acme.example"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    model = onnx.tagger_onnx(TAGS, labels=len(LABELS))
    onnx.model_dir(folder / "names", model, tokens={"output": "logits", "labels": LABELS})
    onnx.injection_dir(folder / "heads")
    static.injection_dir(folder / "words")
    return folder


def bound(root: Path, *kinds: str, model: str = "names", **config: Any) -> Any:
    config |= {"model": model, "digest": digest_of(root / model)}
    if kinds:
        config["kinds"] = kinds
    return _entities.bind(config, Here(root=root))


def found(live: Any, subject: Read) -> list[tuple[str, str]]:
    return [(subject.text[hit.start : hit.end], hit.label) for hit in said(live, subject).hits]


def said(live: Any, subject: Read) -> Answer:
    async def call() -> Answer:
        with anyio.fail_after(20):
            return await live.call(subject)

    answer: Answer = anyio.run(call)
    assert answer.value is (bool(answer.hits) if subject.is_complete or answer.hits else None)
    return answer


def test_without_kinds_all_that_the_model_gives_is_found(root: Path) -> None:
    live = bound(root)
    assert isinstance(live, Caller)
    assert found(live, Read("Alice went from Paris to Acme on Monday")) == [
        ("Alice", "PERSON"),
        ("Paris", "LOCATION"),
        ("Acme", "ORGANISATION"),
        ("Monday", "DAY"),
    ]
    assert found(live, Read("the cat and the dog")) == []


def test_the_recognisers_of_the_same_check_look_too(root: Path) -> None:
    kinds = found(bound(root, "email", "person"), Read(TEXT))
    assert kinds == [("Alice", "PERSON"), ("alice@acme.example", "EMAIL")]


def test_names_are_found_in_views_and_shown_in_the_original(root: Path) -> None:
    view = Seen("bob lives", "decoded", shift=4)
    subject = Read("xyz Qm9i lives", more=(view,))
    assert [(hit.start, hit.label) for hit in said(bound(root), subject).hits] == [(4, "PERSON")]
    assert said(bound(root, views=("raw",)), subject).hits == ()


def test_what_could_not_be_decoded_is_unknown_unless_something_is_found(root: Path) -> None:
    assert said(bound(root), Read("the cat", is_complete=False)).value is None
    assert said(bound(root), Read("bob", is_complete=False)).value is True
    assert said(bound(root, views=("raw",)), Read("bob", is_complete=False)).value is True


REFUSED = [
    (("email",), "names", "the model adds none of the kinds asked for; it finds `day`, `location`"),
    ((), "heads", "gives no labels for tokens"),
    ((), "words", "gives no labels for tokens"),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[2][:30])
def test_a_model_that_adds_nothing_is_refused(root: Path, row: Any) -> None:
    kinds, model, what = row
    with pytest.raises(BindError, match=what):
        bound(root, *kinds, model=model)


def test_a_kind_that_the_model_does_not_find_is_said(tmp_path: Path) -> None:
    model = onnx.tagger_onnx({"alice": 1}, labels=2)
    onnx.model_dir(tmp_path / "names", model, tokens={"output": "logits", "labels": ["O", "PER"]})
    assert found(bound(tmp_path, "person"), Read("alice")) == [("alice", "PERSON")]
    with pytest.raises(BindError, match="does not find `location`; it finds `person`"):
        bound(tmp_path, "person", "location")


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("B-PER", "person"),
        ("I_LOC", "location"),
        ("GPE", "location"),
        ("ORGANIZATION", "organisation"),
        ("S-MISC", "misc"),
        ("B", "b"),
        ("person", "person"),
    ],
)
def test_labels_are_kinds_whatever_they_are_called(label: str, kind: str) -> None:
    assert _entities.kind_of(label) == kind
