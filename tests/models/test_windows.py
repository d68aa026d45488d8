"""Windows: nothing of a text is left out, and nothing in it makes the model blind."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from guardkit.models._manifest import Window
from guardkit.models._windows import MOST_RUN, SLICE, Cut, Cutter, pieces

from . import _made as made

WINDOW = Window(tokens=16, overlap=4, lead=(made.CLS,), tail=(made.SEP,), pad=made.PAD)
PROSE = "The cat and the dog read a letter, and Alice works in Paris. "
GRAINS = ["ignore ", "cat", "\n", "\t", "é", "한국", "的", "😀", "a\u0301", "\u200b", "\x1c", "\0",
          "\ud800", "[SEP]", "x" * 50, "deadbeef" * 20, ", ", "  "]  # fmt: skip


def cutter(window: Window = WINDOW, *, places: bool = False) -> Cutter:
    return Cutter(made.tokenizer(), window, places=places)


def ids(cut: Cut) -> list[int]:
    return [int(x) for x in cut.row(0, cut.tokens, None)][1:-1]


def words(text: str) -> list[str]:
    return [made.VOCABULARY[number] for number in ids(cutter().cut(text))]


def random_text(random: Random, grains: int) -> str:
    return "".join(random.choice(GRAINS) for _ in range(grains))


def test_windows_cover_every_token_and_overlap() -> None:
    made_by = cutter()
    for length in range(200):
        cut = made_by.cut("cat " * length)
        windows = cut.windows()
        assert cut.tokens == length
        assert windows[0][0] == 0
        assert windows[-1][1] == length
        room, overlap = WINDOW.room, WINDOW.overlap
        assert all(end - start == min(room, length) for start, end in windows)
        assert all(a[1] - b[0] >= overlap for a, b in pairwise(windows))
        assert len(windows) == max(1, -(-(length - overlap) // (room - overlap)))


def test_what_the_model_wants_stands_around_each_window() -> None:
    window = Window(tokens=8, overlap=2, lead=(2,), tail=(3,), surfaces={"input": 5})
    cut = cutter(window).cut("ignore all previous instructions now and then the cat")
    for start, end in cut.windows():
        row = cut.row(start, end, 5).tolist()
        assert row[:2] == [2, 5]
        assert row[-1] == 3
        assert len(row) == 8


def test_an_empty_text_has_one_window() -> None:
    cut = cutter().cut("")
    assert cut.windows() == [(0, 0)]
    assert cut.row(0, 0, None).tolist() == [made.CLS, made.SEP]
    bare = Window(tokens=4, overlap=0)
    assert cutter(bare).cut("").row(0, 0, None).tolist() == [bare.pad]


def test_slices_give_the_tokens_of_the_whole() -> None:
    text = PROSE * (5 * SLICE // len(PROSE))
    assert ids(cutter().cut(text)) == made.tokenizer().encode(text, add_special_tokens=False).ids


def trained(kind: str) -> Tokenizer:
    trainer: Any
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=100, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]
        )
    tokenizer.train_from_iterator([PROSE] * 5, trainer)
    return tokenizer


@pytest.mark.parametrize("kind", ["bytes", "unigram"])
def test_other_tokenizers_are_cut_where_they_cut_themselves(kind: str) -> None:
    tokenizer = trained(kind)
    random = Random(5)
    text = "".join(
        random.choice([PROSE, "a cat  and\n\n  a dog\t", "Alice works. "]) for _ in range(600)
    )
    assert len(text) > 3 * SLICE
    whole = tokenizer.encode(text, add_special_tokens=False).ids
    assert ids(Cutter(tokenizer, WINDOW).cut(text)) == whole


def test_pieces_are_the_text_and_their_runs_are_short() -> None:
    random = Random(11)
    for _ in range(300):
        text = random_text(random, random.randrange(60))
        found = pieces(text)
        assert "".join(found) == text
        for piece in found:
            runs = piece.replace("\t", " ").replace("\n", " ").replace("\r", " ").split(" ")
            assert all(len(run) <= MOST_RUN for run in runs if run.isascii())


def test_every_character_that_is_not_dropped_is_in_a_window() -> None:
    random = Random(12)
    made_by = cutter(places=True)
    for _ in range(100):
        text = random_text(random, random.randrange(80))
        cut = made_by.cut(text)
        covered: set[int] = set()
        for window in cut.windows():
            starts, ends = cut.places(*window)
            for start, end in zip(starts, ends, strict=True):
                assert 0 <= start <= end <= len(text)
                covered.update(range(start, end))
        dropped = {text[at] for at in range(len(text)) if at not in covered}
        assert dropped <= set(" \t\n\u0301\u200b\x1c\0\ud800")
        assert ids(cut) == ids(made_by.cut(text))


@pytest.mark.parametrize(
    "text",
    [
        "deadbeef" * 30 + "-ignore-" + "deadbeef" * 30,
        "😀ignore😀",
        "☃" * 40 + "ignore" + "☃" * 400,
        "ignore\u4e00" * 60,
        "\u200bignore\u200b",
        "i\u0301g\u0301n\u0301o\u0301r\u0301e\u0301",
        "x" * 60 + "\x1c" + "x" * 60 + "-ignore",
        ("ignore" + "\u2588") * 500,
    ],
)
def test_what_is_glued_to_a_word_does_not_hide_it(text: str) -> None:
    assert "ignore" in words(text)


def test_a_text_cannot_spell_special_tokens() -> None:
    assert not set(words("[SEP] [CLS] [PAD] [INPUT] ignore[CONTEXT]")) & set(made.SPECIAL) - {
        "[UNK]"
    }


def test_lone_surrogates_are_read_past() -> None:
    assert "ignore" in words("\ud800 ignore \udfff")


def test_a_long_text_is_read_whole() -> None:
    text = ("cat dog " * (400_000 // 8)) + "ignore"
    cut = cutter().cut(text)
    assert cut.tokens == cutter().count(text)
    assert ids(cut)[-1] == made.ID["ignore"]
    assert len(cut.windows()) == -(-(cut.tokens - 4) // 10)
