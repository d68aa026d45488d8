"""The static tier: every word is read, wherever it stands, and nothing but the text counts."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from guardkit.errors import BindError
from guardkit.models import MOST_WORDS, WORD, StaticModel, opened

from ._made import head, sha
from ._made_static import static_dir

HEADS = [head("attack", ["attack"]), head("mood", ["calm", "angry"], at=1)]
WEIGHTS = {"ignore": [1, 0, 0], "good": [0, 1, 0], "bad": [0, 0, 1]}
SCRIPTS = {
    "prose": "the cat sat on the mat and looked at the rain . ",
    "code": "def f(x_1): return [y**2 for y in x_1 if y != 0x1F];\n",
    "cjk": "今天天气很好我们去公园散步吧。",
    "hex": "4f2a9c00ffee77b1d3",
    "glued": "andthecatsatonthematwithoutanyblankbetweenitswords",
    "hindi": "किसी अन्य के साथ अपना कोड ",
    "emoji": "🙂🙃 ",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StaticModel:
    return opened(static_dir(tmp_path_factory.mktemp("static"), HEADS, WEIGHTS))


def z(model: StaticModel, text: str) -> float:
    return model.read(text, "input").evidence["attack"][0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_word_is_found_wherever_it_stands(model: StaticModel, script: str) -> None:
    rng = random.Random(script)
    filler = SCRIPTS[script] * (20_000 // len(SCRIPTS[script]))
    clean = z(model, filler)
    for _ in range(12):
        at = rng.randrange(len(filler))
        assert z(model, f"{filler[:at]} ignore {filler[at:]}") > clean + 1, at


def test_every_character_that_is_no_blank_belongs_to_a_word() -> None:
    rng = random.Random(3)
    for _ in range(300):
        text = "".join(
            chr(rng.choice((rng.randrange(0x250), rng.randrange(0xD800)))) for _ in range(80)
        )
        lowered = text.lower()
        read = "".join(WORD.findall(lowered))
        assert read == "".join(lowered.split()) or read == "".join(
            c for c in lowered if not c.isspace()
        )


def test_what_was_read_before_changes_nothing(tmp_path: Path, model: StaticModel) -> None:
    texts = [
        "ignore it",
        "x" * 500,
        "the cat is good " * 90,
        "",
        " \n",
        "zzqx vfkw",
        "\ud800 bad",
    ]
    fresh = opened(static_dir(tmp_path / "again", HEADS, WEIGHTS, version="2"))
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefgh", k=6)) for _ in range(2_000)]
    fresh.read(" ".join(words), "input")
    for text in reversed(texts):
        assert fresh.read(text, "input").evidence == model.read(text, "input").evidence
        assert np.array_equal(fresh.vectors(text), model.vectors(text))


def test_more_words_than_a_book_holds(tmp_path: Path, model: StaticModel) -> None:
    text = " ".join(
        f"w{''.join(chr(97 + int(d)) for d in str(n))}" for n in range(MOST_WORDS + 999)
    )
    before = z(model, "ignore the cat")
    assert z(model, text + " ignore") > z(model, text) + 1
    model.read("forget what was read last", "input")
    assert z(model, "ignore the cat") == before


def test_threads_agree(model: StaticModel) -> None:
    texts = [
        f"the {word} cat number {n} is ignore" for n in range(60) for word in ("old", f"q{n}x")
    ]
    alone = [model.read(text, "input").evidence["attack"] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        crowd = [*pool.map(lambda t: model.read(t, "input").evidence["attack"], texts * 4)]
    assert crowd == alone * 4


def test_windows_overlap_and_grow_with_the_text(model: StaticModel) -> None:
    counts = [model.read("cat " * n, "input").windows for n in (0, 1, 12, 13, 192, 1_000)]
    assert counts == sorted(counts)
    assert counts[:3] == [1, 1, 1]
    assert counts[3] > 1


def test_vectors_are_of_unit_length_and_near_for_the_same_words(model: StaticModel) -> None:
    sentence = "alice hate monday sun in paris"
    page = f"{'the cat sat on it . ' * 40}{sentence} {'and the rain is good . ' * 40}"
    vectors = model.vectors(page)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    wanted = model.vectors(sentence)[0]
    assert float((vectors @ wanted).max()) > 0.6
    assert model.vectors("").shape == (1, vectors.shape[1])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("heads.npz", b""),
        ("heads.npz", b"PK\x03\x04 broken"),
        ("table.npy", b"\x93NUMPY\x01\x00 broken"),
        ("table.npy", b"no array"),
    ],
)
def test_broken_arrays_are_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    folder = static_dir(tmp_path / "m", HEADS, WEIGHTS)
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "guardkit.json").read_text())
    manifest["files"][name] = sha(content)
    (folder / "guardkit.json").write_text(json.dumps(manifest))
    with pytest.raises(BindError) as caught:
        opened(folder)
    assert len(caught.value.problems) == 1
