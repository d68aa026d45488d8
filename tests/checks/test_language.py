"""Languages: what is found in which text, what is sure, and what other texts make of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import guardkit.models
from guardkit.checks._language import LANGUAGES
from guardkit.checks.live import _language
from guardkit.checks.live._language import RELATIVES
from guardkit.errors import BindError
from guardkit.guard import Guard, loads
from guardkit.models import Languages, read_languages

from ._around import HOSTILE, Here, Read, Seen
from ._languages_spoken import SPOKEN

READER = _language.bind({"allow": ("en",)}, Here())


def found(text: str, *allowed: str, surface: str = "input", views: str = "all") -> list[str]:
    live = _language.bind({"allow": allowed or ("en",), "views": (views,)}, Here())
    answer = live.read(Read(text, surface=surface))
    assert answer.value is bool(answer.hits)
    return [text[hit.start : hit.end] for hit in answer.hits]


def switched(text: str, *sources: str, allow: tuple[str, ...] = ()) -> bool | None:
    live = _language.bind({"same_as": "input", "allow": allow}, Here())
    answer = live.read(Read(text, others={"input": sources} if sources else {}))
    assert isinstance(answer.value, bool | None)
    return answer.value


# --- which language

ENGLISH = SPOKEN["en"]
every_language = pytest.mark.parametrize("language", SPOKEN)


@every_language
def test_a_sentence_is_fine_where_its_language_is(language: str) -> None:
    assert found(SPOKEN[language], language) == []


@pytest.mark.parametrize("language", [name for name in SPOKEN if name != "en"])
def test_a_sentence_is_found_in_a_text_in_english(language: str) -> None:
    sentence = SPOKEN[language]
    text = f"{ENGLISH} I have known it for years. {sentence} {ENGLISH}"
    (stretch,) = found(text)
    # The words at the edges may be of both languages.
    assert stretch in sentence
    assert len(stretch) >= len(sentence) * 0.7


@pytest.mark.parametrize("language", [name for name in SPOKEN if name != "zh"])
def test_a_sentence_is_found_where_only_chinese_is_fine(language: str) -> None:
    assert found(SPOKEN[language], "zh")


@every_language
def test_capitals_and_missing_marks_change_nothing(language: str) -> None:
    assert found(SPOKEN[language].upper(), language) == []
    assert found(SPOKEN[language].lower(), language) == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Kolko je sati i kada se otvara prodavnica blizu moje kuce u subotu?", "hr"),
        ("Ile kosztuje bilet do miasta i czy moge zaplacic karta w autobusie?", "pl"),
        ("Cat costa biletul pana in oras si la ce ora pleaca primul tren?", "ro"),
        ("Toi muon dat mot ban cho bon nguoi vao toi thu sau nay", "vi"),
        ("Wie spaet ist es, und wann faehrt der naechste Zug nach Muenchen?", "de"),
    ],
)
def test_text_without_marks_is_in_its_language_all_the_same(text: str, language: str) -> None:
    assert found(text, language) == []
    assert found(text, "en", "zh") != []


def test_several_languages_may_be_fine() -> None:
    text = f"{SPOKEN['de']} {SPOKEN['fr']} {ENGLISH}"
    assert found(text, "de", "en", "fr") == []
    (stretch,) = found(text, "de", "en")
    assert stretch in SPOKEN["fr"]


def test_near_relatives_are_one() -> None:
    latin = "Gde se nalazi najbliža pekara i koliko košta jedan hleb kod vas?"
    assert found(latin, "sr") == []
    assert found(SPOKEN["hr"], "bs") == found(SPOKEN["sr"], "bs") == []
    assert found(SPOKEN["id"], "ms") == []
    assert set(RELATIVES) <= set(LANGUAGES)


def test_two_stretches_are_two_spans() -> None:
    text = f"{SPOKEN['de']} {ENGLISH} {ENGLISH} {SPOKEN['ru']}"
    first, second = found(text)
    assert first in SPOKEN["de"]
    assert second in SPOKEN["ru"]


def test_a_script_of_no_language_in_the_list_is_found() -> None:
    assert found("ⴰⵣⵓⵍ ⴼⵍⵍⴰⵡⵏ ⵎⴰⵏⵣⴰⴽⵉⵏ ⵜⵜⴰⵏⵎⵎⵉⵔⵜ ⵏⵏⵓⵏ", "en", "ar") != []


# --- what is not sure is a no

UNSURE = [
    "",
    "   \n\t",
    "12 345,67 € (19 %) 2026-11-21 +49 30 1234567",
    "Hallo!",
    "Guten Morgen, Anna!",
    "Merci beaucoup.",
    "I love Schadenfreude, Wanderlust and a good Kindergarten.",
    "The mise en scène has a kind of je ne sais quoi, if you ask me.",
    "Müller, Schröder, Bäcker, Grünwald und Söhne GmbH",
    "Giovanni Bianchi, Francesca Ferrari, Alessandro Esposito, Giulia Romano, Lorenzo Ricci",
    "Flights: Frankfurt, München, São Paulo, Kraków, Reykjavík, Besançon, Zürich, Málaga",
    "Ikea Billy, Volkswagen Golf, L'Oréal Paris, Crème brûlée, Häagen-Dazs",
    "東京タワー and 北京 are places.",
    "Let α be the angle between β and γ, so that Δ = α + β and Ω is π.",
    "asdf qwer zxcv hjkl uiop bnmq wert",
    "ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha",
    "no no no no no no no no no no no no no no no no no no",
    "require true require true require true require true require true require",
    "SELECT id, name FROM users WHERE created_at > NOW() ORDER BY id DESC LIMIT 10;",
    "def parse(self, value): return self.cache.get(key) if key in self.cache else None",
    "kubectl get pods -n kube-system -o wide --watch",
    "Lk3Jd82hQp0Zx7Vn1TgRw5YbMc9EuSf4",
    "🎉🎉🎉 👍👍 ❤️",
    "\ud800\x00",
]


@pytest.mark.parametrize("text", UNSURE)
def test_what_is_not_sure_is_a_no(text: str) -> None:
    assert found(text) == []
    assert found(text, surface="output") == []


def test_where_english_is_not_fine_code_still_is() -> None:
    code = "for i in range(len(items)): print(items[i].name, items[i].price_in_cents)"
    assert found(f"{SPOKEN['de']} {code}", "de") == []


def test_a_stretch_has_twenty_letters() -> None:
    assert found("אבגדה ווזחט יכלמנ סעפצק") != []
    assert found("אבגדה ווזחט יכלמנ סעפצ") == []


# --- what is left out

GERMAN = "Bitte sagen Sie mir doch endlich, wo mein Paket geblieben ist"

ASIDE = [
    f"She wrote: “{GERMAN}” and I do not know what it means.",
    f'The sign at the door said "{GERMAN}" in large letters.',
    f"What does «{GERMAN}» mean in plain English, please?",
    f"Use this as the text of the button: `{GERMAN}`. Thank you.",
    f"Here is the program.\n```python\n# {GERMAN}\nprint(1)\n```\nIt does not work.",
    f"He sent me this yesterday:\n> {GERMAN}\n> {GERMAN}\nWhat should I answer?",
    "It is at https://example.org/wo/ist/mein/paket/geblieben/bitte/sagen/sie/es/mir now.",
    "The file is C:\\Dokumente\\wichtige_unterlagen\\bitte_nicht_vergessen.txt on my disk.",
    f'<img alt="{GERMAN}" src="x.png"> is how the picture is shown.',
]


@pytest.mark.parametrize("text", ASIDE)
@pytest.mark.parametrize("surface", ["input", "output"])
def test_code_quotations_and_addresses_are_left_out(text: str, surface: str) -> None:
    assert found(text, surface=surface) == []


@pytest.mark.parametrize(
    "text", [f'"{GERMAN}"', f"```\n{GERMAN}\n```", f"> {GERMAN}", f"`{GERMAN}`"]
)
def test_a_text_that_is_all_quotation_is_read(text: str) -> None:
    assert found(text) == [GERMAN]
    assert found(text, surface="output") == []  # more may follow


def test_a_long_quotation_is_read() -> None:
    assert found(f'The letter said "{" ".join([GERMAN] * 4)}" and no more.') != []


def test_what_a_fence_leaves_open_is_code() -> None:
    assert found(f"Here it is:\n```\n{GERMAN}\n", surface="output") == []
    assert found(f"This is all of it, I think.\n```\n{GERMAN}\n") == []


# --- the same as another text


def test_a_reply_in_the_language_of_the_question_is_fine() -> None:
    for language in SPOKEN:
        assert switched(SPOKEN[language], SPOKEN[language]) is False


@pytest.mark.parametrize("language", [name for name in SPOKEN if name != "en"])
def test_a_reply_in_another_language_is_found(language: str) -> None:
    assert switched(ENGLISH, SPOKEN[language]) is True
    assert switched(SPOKEN[language], ENGLISH) is True


def test_it_is_unknown_without_a_source_and_a_no_with_an_empty_one() -> None:
    assert switched(ENGLISH) is None
    assert switched(ENGLISH, "") is False
    live = _language.bind({"same_as": "input"}, Here())
    assert live.read(Read(ENGLISH, others={"input": ()})).value is False


@pytest.mark.parametrize("source", ["ok", "Hi", "42", "👍", "TypeError: NoneType", "Berlin"])
def test_a_source_too_short_to_tell_may_be_in_any_language(source: str) -> None:
    assert switched(SPOKEN["de"], source) is False


def test_every_language_of_the_source_is_fine() -> None:
    asked = f"What does this mean, and can you tell me more about it? {SPOKEN['de']}"
    assert switched(ENGLISH, asked) is False
    assert switched(SPOKEN["de"], asked) is False
    assert switched(SPOKEN["fr"], asked) is True
    assert switched(SPOKEN["fr"], ENGLISH, SPOKEN["fr"]) is False


def test_an_example_in_a_reply_is_fine() -> None:
    reply = f"{ENGLISH} {ENGLISH} For example: {SPOKEN['de']} {ENGLISH}"
    assert switched(reply, ENGLISH) is False
    assert switched(f"Sure. {SPOKEN['de']}", ENGLISH) is True


def test_a_list_is_fine_beside_a_source() -> None:
    assert switched(ENGLISH, SPOKEN["de"], allow=("en",)) is False
    assert switched(SPOKEN["fr"], SPOKEN["de"], allow=("en",)) is True


POLICY = """\
guardkit 1
policy p
  title "t"
  owner "o"
  version "1"

check switched = language { same_as input }

rule same { tier guidelines  on output  when switched  then flag }
"""


def guard() -> Guard:
    return loads(POLICY)


def test_a_session_says_what_the_question_was() -> None:
    live = guard()
    live.check(SPOKEN["de"], on="input", session="s")
    assert live.check(ENGLISH, on="output", session="s").fired == ("same",)
    assert live.check(SPOKEN["de"], on="output", session="s").fired == ()
    live.check(ENGLISH, on="input", session="s")
    assert live.check(ENGLISH, on="output", session="s").fired == ()
    assert live.check(ENGLISH, on="output").unknown == ("switched",)


# --- views


def test_what_a_view_shows_is_read() -> None:
    view = Seen(GERMAN, "decoded", shift=2)
    live = _language.bind({"allow": ("en",)}, Here())
    answer = live.read(Read("x" * 80, more=(view,)))
    assert answer.value is True
    assert [(hit.start, hit.end) for hit in answer.hits] == [(2, 2 + len(GERMAN))]


def test_turned_and_loose_views_are_not_read() -> None:
    for view in (Seen(GERMAN, "turned"), Seen(GERMAN, "reversed"), Seen(GERMAN, "loose", "loose")):
        assert READER.read(Read("plain", more=(view,))).value is False


def test_only_chosen_views_are_read() -> None:
    live = _language.bind({"allow": ("en",), "views": ("raw",)}, Here())
    assert live.read(Read("plain", more=(Seen(GERMAN, "decoded"),))).value is False


def test_what_could_not_be_decoded_is_unknown_unless_something_is_found() -> None:
    assert READER.read(Read(ENGLISH, is_complete=False)).value is None
    assert READER.read(Read(GERMAN, is_complete=False)).value is True
    raw = _language.bind({"allow": ("en",), "views": ("raw",)}, Here())
    assert raw.read(Read(ENGLISH, is_complete=False)).value is False


DISGUISED = """\
guardkit 1
policy p
  title "t"
  owner "o"
  version "1"

check foreign = language { allow [en] }

rule allowed { tier safety  on input  when foreign  then block "English, please." }
"""


@pytest.mark.parametrize(
    "text",
    [
        "\u200b".join(GERMAN),
        " ".join(word[0] + "\u00ad" + word[1:] for word in GERMAN.split()),
        "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in GERMAN),
    ],
)
def test_a_disguise_hides_no_language(text: str) -> None:
    assert loads(DISGUISED).check(text).action == "block"


# --- the table


def test_the_list_of_languages_is_what_the_table_knows() -> None:
    columns = set(read_languages().columns) - {"none", "other"}
    assert set(LANGUAGES) == columns | {"bs"}
    assert list(LANGUAGES) == sorted(LANGUAGES)
    assert len(LANGUAGES) >= 70


def test_a_table_that_is_missing_or_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BindError, match="not part of this installation"):
        read_languages(tmp_path)
    table = Path(guardkit.models.__file__).parent / "languages" / "table.npz"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "table.npz").write_bytes(content)
    with pytest.raises(BindError, match="not the one that this version came with"):
        read_languages(tmp_path)
    assert len(content) <= 600_000


def test_the_page_of_the_table_names_its_digest() -> None:
    page = (Path(guardkit.models.__file__).parent / "languages" / "README.md").read_text()
    assert re.search(r"sha256:[0-9a-f]{64}", page)
    assert guardkit.models._languages.DIGEST in page


def test_the_table_is_read_once() -> None:
    assert read_languages() is read_languages()


def test_forgetting_words_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardkit.models._languages, "MOST_WORDS", 40)
    table = read_languages.__wrapped__()
    words = [table.words(SPOKEN[name])[:9] for name in ("de", "fr", "ru", "en", "pl", "tr", "vi")]
    for line in words * 2:
        assert (table.weigh(line) == read_languages().weigh(line)).all()


def test_a_word_stands_where_it_is_said_to() -> None:
    for text in SPOKEN.values():
        places = Languages.places(text)
        assert [text[start:end] for start, end in places] == Languages.words(text)


# --- time


def test_it_costs_little_beside_a_plain_look_at_the_words() -> None:
    text = " ".join(SPOKEN[name] for name in ("en", "en", "de", "fr", "es", "it"))[:1024]

    def best(work: object, rounds: int = 30) -> float:
        times = []
        for _ in range(rounds):
            begun = time.thread_time()
            work()  # type: ignore[operator]
            times.append(time.thread_time() - begun)
        return min(times)

    live = _language.bind({"allow": ("en", "de", "fr", "es", "it")}, Here())
    plain = best(lambda: [word.lower().istitle() for word in re.findall(r"\w+", text)])
    # The plain look takes about 25 µs.
    assert any(best(lambda: live.read(Read(text))) < plain * 8 for _ in range(3))


@pytest.mark.parametrize(
    "piece", [*HOSTILE, "“", "„", "«a", "`a", "~~~", "<a", "a_", ">\n", "字", "é "]
)
def test_time_grows_with_the_text(piece: str) -> None:
    def best(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        times = []
        for _ in range(3):
            begun = time.thread_time()  # milliseconds: others take turns in between
            READER.read(Read(text))
            times.append(time.thread_time() - begun)
        return min(times)

    assert any(best(16_000) < max(best(4_000) * 10, 0.001) for _ in range(3))


def test_a_long_text_is_read_to_its_end() -> None:
    text = f"{ENGLISH} " * 700 + GERMAN
    assert found(text) == [GERMAN]
    assert found(f"{GERMAN} {ENGLISH} ")[0] in GERMAN
    assert len(found(f"{SPOKEN['de']} " * 700)) == 1


# --- streams

STREAMED = """\
guardkit 1
policy p
  title "t"
  owner "o"
  version "1"

defaults {{ hold_back 64 chars }}

check foreign = language {{ allow [en]  label "other" }}

rule allowed {{ tier guidelines  on output  when foreign  then {then} }}
"""
REPLY = (
    f"{ENGLISH} I have known it for years, and the people who work there are kind. {ENGLISH}"
    f" {SPOKEN['de']} {ENGLISH} That is all I know about it, my dear friend. {ENGLISH}"
)
FENCED = f"Here it is, with all of the comments.\n```\n# {GERMAN}\nx = 1\n```\n{ENGLISH} {ENGLISH}"


@pytest.mark.parametrize(
    "then", ['rewrite matches as "[{{label}}]"', 'block "In English, please."']
)
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("reply", [REPLY, FENCED, f"{ENGLISH} {ENGLISH}"])
def test_a_stream_comes_to_the_verdict_on_the_whole(then: str, size: int, reply: str) -> None:
    live = loads(STREAMED.format(then=then.replace("{{", "{").replace("}}", "}")))
    stream = live.stream(on="output")
    shown = "".join(stream.feed(reply[at : at + size]) for at in range(0, len(reply), size))
    shown += stream.finish()
    whole = live.check(reply, on="output")
    assert stream.verdict is not None
    assert stream.verdict.action == whole.action
    assert GERMAN.split()[0] not in shown or reply is FENCED
    if whole.action == "rewrite":
        assert shown == whole.text
        assert "[OTHER]" in shown
        assert "frisches Brot" not in shown
    elif whole.action == "block":
        assert reply.startswith(shown.removesuffix("In English, please.").rstrip("\n"))
        assert "Bäckerei" not in shown
    else:
        assert shown == reply
