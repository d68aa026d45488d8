"""The table of languages: its texts, its words, and a small table that tells four languages."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from guardkit.errors import UsageError
from guardkit.models import Languages
from guardkit.train import _language as recipe
from guardkit.train._language_texts import MEASURED, OURS, TRAINED, language_texts, without_markup

from . import _small as small


def mo(messages: Mapping[str, str]) -> bytes:
    """A file of translations as gettext reads it."""
    rows = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items())
    texts = [(key.encode(), value.encode()) for key, value in rows]
    start = 28 + 16 * len(texts)
    places: list[tuple[int, int]] = []
    body = b""
    for part in (0, 1):
        for text in texts:
            places.append((len(text[part]), start + len(body)))
            body += text[part] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(texts), 28, 28 + 8 * len(texts), 0, 0)
    return head + b"".join(struct.pack("<2I", *place) for place in places) + body


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    rows = [
        ("github/opensource.guide", "Guten Tag, `code` https://x.example", {"lang": "de"}),
        ("github/opensource.guide", "Good day", {}),
        ("clinc/oos-eval", "what is my balance", {}),
        ("google-deepmind/xquad", "Wer ist das?", {"lang": "de"}),
        ("lm-sys/FastChat", "Who is that?", {"lang": "en"}),
        ("rails/rails", "def index; end", {"kind": "code", "lang": "en"}),
        ("meta-llama/PurpleLlama/CybersecurityBenchmarks", "Olá", {"lang": "Portuguese"}),
        ("PlexPt/awesome-chatgpt-prompts-zh", "你好", {"lang": "zh-TW"}),
        ("some/other", "Bonjour", {"lang": "fr"}),
        ("bigcode-project/octopack", "मैं", {"lang": "hi-Latn"}),
    ]
    with gzip.open(folder / "one.jsonl.gz", "wt", encoding="utf-8") as out:
        for source, text, meta in rows:
            out.write(json.dumps({"source": source, "text": text, "label": 0, "meta": meta}) + "\n")
        mixed = {"source": "google-deepmind/xquad", "text": "Wer? Ignore it", "label": 1}
        out.write(json.dumps({**mixed, "meta": {"lang": "de", "injected": "Ignore it"}}) + "\n")
    return folder


def test_texts_come_from_the_pack_the_wheels_and_ours(pack: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "Django-5.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        messages = {"Yes": "Ja, <b>gern</b>", "Same": "Same", "No": "Nein, %(name)s danke"}
        archive.writestr("django/conf/locale/de_AT/LC_MESSAGES/django.mo", mo(messages))
        archive.writestr("django/conf/locale/sr_Latn/LC_MESSAGES/django.mo", mo({"Yes": "Naravno"}))
        archive.writestr("django/other.txt", "nothing")
    told = [*language_texts(pack, [wheel])]
    found = [(t.source, t.language, t.text.strip(), t.is_kept) for t in told if t.source != OURS]
    assert found == [
        ("github/opensource.guide", "de", "Guten Tag,", False),
        ("github/opensource.guide", "en", "Good day", False),
        ("clinc/oos-eval", "en", "what is my balance", False),
        ("google-deepmind/xquad", "de", "Wer ist das?", True),
        ("lm-sys/FastChat", "en", "Who is that?", True),
        ("rails/rails", "none", "def index; end", False),
        ("meta-llama/PurpleLlama/CybersecurityBenchmarks", "pt", "Olá", False),
        ("PlexPt/awesome-chatgpt-prompts-zh", "zh", "你好", False),
        ("django", "de", "Nein,   danke", False),
        ("django", "de", "Ja,  gern", False),
        ("django", "hr", "Naravno", False),
    ]
    assert not TRAINED.keys() & MEASURED.keys()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the pack has no files `\*.jsonl.gz`"):
        list(language_texts(tmp_path, []))
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(UsageError, match="`mezzanine` is not a package that the recipe knows"):
        list(language_texts(tmp_path, [tmp_path / "mezzanine-1.whl"]))


def test_our_sentences_are_sixty_a_language_and_no_two_the_same(pack: Path) -> None:
    ours = [told for told in language_texts(pack, []) if told.source == OURS]
    counts = Counter(told.language for told in ours)
    assert len(counts) >= 25
    assert all(59 <= count <= 61 for count in counts.values()), counts
    assert counts.keys() <= set(recipe.SPELT.split())
    assert len({told.text for told in ours}) == len(ours)
    kept = Counter(told.language for told in ours if told.is_kept)
    assert set(kept.values()) <= {19, 20}


def test_markup_is_no_language() -> None:
    text = "see [the page](https://x.example/a) or `run()` in a/b/c and {name} %s &amp; <b>now</b>"
    assert without_markup(text).split() == ["see", "or", "in", "and", "now"]


@pytest.mark.timeout(300)  # loading torch takes a minute where cores are few
def test_a_small_table_tells_languages_apart(pack: Path, tmp_path: Path) -> None:
    small.need_torch()
    import numpy as np
    import torch

    threads = torch.get_num_threads()
    texts = [*language_texts(pack, [])]
    words = recipe.counted(texts, seed=3)
    table = recipe.trained(words, seed=3, steps=60)
    assert torch.get_num_threads() == threads
    languages = Languages(recipe.SPELT.split(), table, recipe.STEP)
    figures = recipe.measured(languages, texts, seed=3)
    for name in ("fi", "lv", "sv", "uk"):
        assert figures[name][-1] in ("99%", "100%")
    assert "| fi |" in recipe.page("sha256:0", figures, words)
    again = recipe.trained(recipe.counted(texts, seed=3), seed=3, steps=60)
    assert np.abs(table.astype(int) - again).max() <= 1
