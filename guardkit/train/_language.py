"""The table of languages: how much each run of letters speaks for each language.

    python -m guardkit.train._language PACK OUT WHEEL…

trains the table on the words of `language_texts`, writes it with its page into the folder OUT, and
says its digest. Minutes on one core; the same texts, seed and versions give the same table.
"""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from guardkit.models import LANGUAGE_BITS, Languages, rows_of_words, script_of

from ._extra import need
from ._language_texts import CODE, KEPT, MEASURED, OURS, TRAINED, Told, language_texts

SPELT: Final = (
    "af ar az be bg ca cs cy da de en es et eu fa fi fr ga gl hi hr hu id is it kk lt lv mk mr ms"
    " ne nl no pl pt ro ru sk sl sq sr sv sw tl tr uk ur vi none"
)
"""The languages that are told apart by their words, and last what is in none."""
_SCRIPTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("be", "bg", "kk", "mk", "ru", "sr", "uk"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ur"), "arabic"),
    **dict.fromkeys(("hi", "mr", "ne"), "devanagari"),
}
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"

STEPS: Final = 3_000
BATCH: Final = 2_048
RATE: Final = 0.05
BY_CHANCE: Final = 23_000
"""Words made of letters by chance, for what is in no language; as many as there are of code."""
UNMARKED: Final = 0.12
"""How often a word is met without the marks on its letters: so people type."""
DROPPED: Final = 0.15
"""Runs of letters that are left out while training; of whole words twice as many, so that the parts
of a word are learnt even where the word is known."""
STEP: Final = 0.04
"""What one step of int8 is worth."""
LENGTHS: Final = (20, 50, 200)
"""Characters of the texts that are measured with."""
SAMPLES: Final = 200


class Words(NamedTuple):
    """Words with the language each was met in, and how often."""

    words: list[str]
    languages: Any
    often: Any


def counted(texts: Sequence[Told], seed: int) -> Words:
    """The words to train on. A source counts for the root of its size, ours for four times that."""
    import numpy as np

    names = SPELT.split()
    met: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for told in texts:
        if told.language in names and not told.is_kept:
            script = _SCRIPTS.get(told.language, "latin")
            met[told.language, told.source].update(
                word for word in Languages.words(told.text.lower()) if script_of(word) == script
            )
    often: dict[str, dict[str, float]] = {name: defaultdict(float) for name in names}
    for (name, source), words in sorted(met.items()):
        weight = (4 if source == OURS else 1) / max(words.total(), 1) ** 0.5
        for word, times in sorted(words.items()):
            often[name][word] += weight * times
    chance = Random(seed)  # noqa: S311  # for chance, not for secrets
    code = sum(often[CODE].values()) or 1.0
    for _ in range(BY_CHANCE):
        word = "".join(chance.choice(_ALPHABET) for _ in range(chance.randint(1, 9)))
        often[CODE][word] += code / BY_CHANCE
    pairs: list[tuple[str, int, float]] = []
    for number, name in enumerate(names):
        total = sum(often[name].values())
        for word, count in sorted(often[name].items()):
            pairs.append((word, number, count / total))
            bare = _bare(word) if _SCRIPTS.get(name, "latin") == "latin" else word
            if bare != word:
                pairs.append((bare, number, UNMARKED * count / total))
    languages = np.array([number for _, number, _ in pairs])
    shares = np.array([share for _, _, share in pairs])
    for number in range(len(names)):
        own = languages == number
        # Between how often a word is met and its root: rare words are most of what is read.
        flat = np.sqrt(shares[own])
        shares[own] = 0.65 * shares[own] / shares[own].sum() + 0.35 * flat / flat.sum()
    return Words([word for word, _, _ in pairs], languages, shares)


def _bare(word: str) -> str:
    """A word without the marks on its letters."""
    apart = unicodedata.normalize("NFD", word)
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return kept.translate(str.maketrans("ıłđø", "ildo"))


def trained(
    words: Words, seed: int, steps: int = STEPS, told: Callable[[str], None] | None = None
) -> Any:
    """The table: int8 [2^LANGUAGE_BITS, languages].

    A word speaks for a language by the sum of its runs of letters; the softmax of the sums is the
    language it was met in.
    """
    import numpy as np
    import torch
    from torch.nn import functional

    vocabulary = sorted(set(words.words))
    at = {word: number for number, word in enumerate(vocabulary)}
    places = np.array([at[word] for word in words.words])
    rows, counts = rows_of_words(vocabulary)
    begins = np.cumsum(counts) - counts
    chance = torch.Generator().manual_seed(seed)
    heaps = torch.cumsum(torch.tensor(words.often, dtype=torch.float64), 0)
    size = len(SPELT.split())
    table = torch.zeros(1 << LANGUAGE_BITS, size, requires_grad=True)
    optimizer = torch.optim.Adam([table], lr=RATE, betas=(0.9, 0.99))
    for step in range(steps):
        drawn = torch.rand(BATCH, dtype=torch.float64, generator=chance) * heaps[-1]
        picked = torch.searchsorted(heaps, drawn).clamp(max=len(places) - 1).numpy()
        own = counts[places[picked]]
        starts = np.cumsum(own) - own
        flat = np.repeat(begins[places[picked]] - starts, own) + np.arange(own.sum())
        first = torch.from_numpy(starts)
        kept = torch.rand(len(flat), generator=chance) > DROPPED
        kept[first] = torch.rand(BATCH, generator=chance) > 2 * DROPPED  # the whole word
        said = functional.embedding_bag(
            torch.from_numpy(rows[flat]),
            table,
            first,
            mode="sum",
            per_sample_weights=kept.float(),
        )
        loss = functional.cross_entropy(said, torch.from_numpy(words.languages[picked]))
        size_of_table = 2e-7 * (table**2).sum() + 1e-7 * table.abs().sum()
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps) + RATE / 50
        optimizer.zero_grad()
        (loss + size_of_table).backward()
        optimizer.step()
        if told is not None and step % 500 == 0:
            told(f"step {step} of {steps}: {loss.item():.3f}")
    found = table.detach().numpy()
    found = found - found.mean(axis=1, keepdims=True)
    return np.clip(np.rint(found / STEP), -127, 127).astype(np.int8)


# --- measuring


def measured(languages: Languages, texts: Sequence[Told], seed: int) -> dict[str, list[str]]:
    """Of each language the share of kept texts that are found to be in it, by their length.

    Kept texts of a language are laid end to end, and pieces cut out of them at the beginnings of
    words.
    """
    nothing = languages.columns.index(CODE)
    lines: dict[str, list[str]] = defaultdict(list)
    for told in texts:
        if told.is_kept and told.language in languages.columns:
            lines[told.language].append(" ".join(told.text.split()))
    chance = Random(seed)  # noqa: S311  # for chance, not for secrets
    found: dict[str, list[str]] = {}
    for name in sorted(lines):
        chance.shuffle(lines[name])
        whole = " ".join(lines[name])[:200_000]
        shown: list[str] = [f"{len(whole):,}"]
        for length in LENGTHS:
            right = 0
            for _ in range(SAMPLES):
                at = chance.randrange(max(1, len(whole) - length))
                piece = whole[whole.find(" ", at) + 1 :][:length]
                words = languages.words(piece)
                sums = languages.weigh(words)[:-1].sum(axis=1) if words else None
                if sums is not None:
                    sums[nothing] = sums.min() - 1
                    right += languages.columns[int(sums.argmax())] == name
            shown.append(f"{right / SAMPLES:.0%}")
        found[name] = shown
    return found


def page(digest: str, figures: Mapping[str, Sequence[str]], words: Words) -> str:
    """The table's page for people."""
    names = SPELT.split()
    counts = Counter(words.languages.tolist())
    lines = [
        "# The table of languages",
        "",
        f"`table.npz` says how much each run of one to four letters, and each whole word, speaks"
        f" for {len(names) - 1} languages in Latin, Cyrillic, Arabic and Devanagari letters, and"
        " for no language at all (code, names, letters by chance). Other scripts are languages by"
        " themselves and need no table. The check kind `language` reads with it.",
        "",
        f"Licence: Apache-2.0. Digest: `{digest}`.",
        "",
        "## Trained on",
        "",
        "| source | licence |",
        "|---|---|",
        *(f"| {source} | {licence} |" for source, licence in TRAINED.items()),
        "",
        "`django` and `wagtail` stand for what the user interfaces of Django 5.2 and Wagtail 8.0"
        f" were translated to. `{OURS}` are sentences written for this project; one in {KEPT} is"
        " kept. Of the rest whole sources are.",
        "",
        "## Measured on",
        "",
        ", ".join(f"{source} ({licence})" for source, licence in MEASURED.items())
        + f", and the kept sentences. {SAMPLES} pieces of each length, cut at words; right is what"
        " has most evidence. Much of it is short texts of user interfaces. The check asks less of"
        " it: whether a text is in one of the languages that are fine.",
        "",
        "| language | words trained on | characters kept | "
        + " | ".join(f"right at {length}" for length in LENGTHS)
        + " |",
        "|---|---:|---:|" + "---:|" * len(LENGTHS),
    ]
    for name in sorted({*names[:-1], *figures}):
        trained_on = f"{counts[names.index(name)]:,}" if name in names else "by its script"
        shown = figures.get(name, ("none", *("" for _ in LENGTHS)))
        lines.append(f"| {name} | {trained_on} | {' | '.join(shown)} |")
    lines += [
        "",
        "## Known misses",
        "",
        "Near relatives are mixed up in short texts: Danish and Norwegian, Czech and Slovak,"
        " Serbian and Macedonian, Spanish, Galician and Catalan. Indonesian and Malay are not to be"
        " told apart, nor are Croatian, Bosnian and Serbian in Latin letters. Sources are mostly"
        " formal; what young people write to each other is in none of them.",
        "",
    ]
    return "\n".join(lines)


def make_languages(
    pack: Path,
    out: Path,
    wheels: Sequence[Path],
    *,
    seed: int = 1,
    steps: int = STEPS,
    told: Callable[[str], None] | None = None,
) -> str:
    """Train the table, write it and its page, and give its digest.

    Args:
        pack: The folder of the pack.
        out: Where the table and its page go; it has to exist.
        wheels: The wheels of the packages whose translations are read.
        seed: Of all chance.
        steps: How long to train.
        told: Told how far it is.
    """
    need("torch")
    import numpy as np
    import torch

    texts = [*language_texts(pack, wheels)]
    words = counted(texts, seed)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # sums of floats in one order
        table = trained(words, seed, steps, told)
    finally:
        torch.set_num_threads(threads)
    file = out / "table.npz"
    np.savez_compressed(
        file, languages=np.array(SPELT), table=table, scale=np.array(STEP, np.float64)
    )
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    figures = measured(Languages(SPELT.split(), table, STEP), texts, seed)
    (out / "README.md").write_text(page(digest, figures, words), encoding="utf-8")
    return digest


def main(arguments: Sequence[str]) -> None:
    """The command: PACK OUT WHEEL…"""
    pack, out, *wheels = map(Path, arguments)
    digest = make_languages(pack, out, wheels, told=lambda line: print(line, file=sys.stderr))
    print(digest)


if __name__ == "__main__":
    main(sys.argv[1:])
