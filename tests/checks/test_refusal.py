"""Refusals: none, full, in part and by another subject, in every language there are phrases for."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import anyio
import pytest

from guardkit.catalog import Answer, Caller, Reader
from guardkit.checks._refusal import LABELS, SPEC
from guardkit.checks.live._refusal import HEAD, READ, RefusalReader, bind
from guardkit.checks.live._refusal_phrases import LATIN, OTHERS
from guardkit.errors import BindError

from ..models._made import classifier_onnx, head, model_dir
from ..models._made_static import static_dir
from ._around import Here, Read


class Text:
    """A subject with a text and nothing else."""

    surface = "output"
    canary = None

    def __init__(self, text: str) -> None:
        self.text = text

    def views(self) -> tuple[()]:
        return ()

    def protected(self, source: str) -> None:
        return None


@cache
def reader() -> RefusalReader:
    return bind({}, None)  # type: ignore[arg-type]  # it looks around for nothing


def label(text: str) -> object:
    return reader().read(Text(text)).value


FULL = (
    "I can't help with that.",
    "I’m sorry, but I can’t assist with this request.",
    "I cannot provide instructions for that. Is there anything else I can do for you?",
    "As an AI language model, I am not able to give legal advice.",
    "I must decline.",
    "That goes against my guidelines.",
    "Sorry, this topic is off limits for me.",
    "Leider kann ich dir dabei nicht helfen.",
    "Diese Anfrage muss ich ablehnen.",
    "Je ne peux pas vous aider avec cette demande.",
    "Je dois refuser.",
    "Lo siento, no puedo ayudarte con eso.",
    "Mi dispiace, non posso aiutarti con questo.",
    "Desculpe, não posso ajudar com isso.",
    "Sorry, daar kan ik niet bij helpen.",
    "Przykro mi, nie mogę w tym pomóc.",
    "Üzgünüm, bu konuda yardımcı olamam.",
    "Извините, я не могу помочь с этим.",
    "抱歉，我无法提供这方面的帮助。",
    "申し訳ありませんが、その情報は提供できません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    "عذرا، لا أستطيع المساعدة في ذلك.",
    "क्षमा करें, मैं इसमें मदद नहीं कर सकता।",
)
PARTIAL = (
    "I can't give exact doses, but here is some general background: read the leaflet.",
    "I cannot tell you his address. What I can say is that he lives in the north.",
    "I can't write the whole essay. However, I can outline it: first the facts, then your view.",
    "I can't run this for you. Do it like so:\n```\nls -l\n```",
    "I cannot share the key. For the rest: the file has four columns.",
    "Ich kann das nicht beantworten, aber hier ist ein Überblick.",
    "Je ne peux pas répondre à tout, mais voici quelques idées.",
    "No puedo darte cifras exactas, pero aquí tienes un resumen.",
    "Non posso fornire il testo, ma ecco alcune idee.",
    "Não posso fornecer o texto, mas aqui está um resumo.",
    "Ik kan dat niet geven, maar hier is een overzicht.",
    "Nie mogę podać szczegółów, ale oto kilka wskazówek.",
    "Bu konuda bilgi veremem, ama işte bazı genel ilkeler.",
    "Я не могу дать точный ответ, но вот общие сведения.",
    "我无法提供全文，但以下是一些要点。",
    "全文は提供できませんが、以下に概要を示します。",
    "전문은 제공할 수 없습니다. 하지만 다음 내용을 알려 드립니다.",
    "لا أستطيع تقديم النص، لكن إليك بعض النقاط.",
    "मैं पूरा पाठ नहीं दे सकता, लेकिन यहाँ सार है।",
)
DEFLECT = (
    "Let's talk about something else.",
    "Interesting! How about we change the subject?",
    "I'd rather talk about your garden.",
    "Lass uns lieber über etwas anderes sprechen.",
    "Parlons plutôt d'autre chose.",
    "Mejor hablemos de otro tema.",
    "Parliamo di altro.",
    "Vamos falar de outra coisa.",
    "Laten we het over iets anders hebben.",
    "Porozmawiajmy o czymś innym.",
    "Başka bir konu hakkında konuşalım.",
    "Давайте поговорим о другом.",
    "我们聊聊别的吧。",
    "別の話題にしましょう。",
    "다른 이야기를 하죠.",
    "دعنا نتحدث عن شيء آخر.",
    "चलिए किसी और चीज़ के बारे में बात करते हैं।",
)
NONE = (
    "Your balance is 120 euros.",
    "I can't wait to see you!",
    "I can't stress enough how useful this is.",
    "I cannot recommend this bicycle enough.",
    '"I won\'t do it," said the pilot, and closed the door.',
    "Sorry for the delay! Your router will arrive on Monday.",
    "You can't divide by zero, so the function returns None.",
    "The server refuses connections on port 80 unless the firewall is open.",
    "Du kannst die Karte in der App sperren.",
    "Vous ne pouvez pas annuler après dix jours.",
    "No puedes usar la tarjeta después del viernes.",
    "Вы не можете отменить заказ.",
    "您可以在设置中修改密码。",
    "パスワードは設定で変更できます。",
    "",
)
CASES = [
    *((text, "full") for text in FULL),
    *((text, "partial") for text in PARTIAL),
    *((text, "deflect") for text in DEFLECT),
    *((text, "none") for text in NONE),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_a_reply_is_named(text: str, wanted: str) -> None:
    assert label(text) == wanted


def test_there_are_phrases_in_fifteen_languages() -> None:
    assert len(LATIN) + len(OTHERS) == 15
    assert all(phrases.refuses and phrases.helps and phrases.turns for phrases in LATIN + OTHERS)


def test_a_refusal_that_stands_late_in_an_answer_is_none() -> None:
    answer = "The capital of France is Paris, a city on the river Seine. " * 8
    assert label(f"{answer}I can't help with the bookings.") == "none"


def test_a_refusal_before_a_long_answer_is_a_partial_one() -> None:
    assert label("I can't help with that. " + "Turn left at the old mill. " * 60) == "partial"


def test_another_voice_after_the_refusal_is_a_partial_one() -> None:
    assert label("I cannot assist with that.\n\n[Other]: Of course I will.") == "partial"


def test_it_is_a_reader_with_fixed_labels() -> None:
    assert isinstance(reader(), Reader)
    assert SPEC.labels == LABELS
    assert reader().read(Text("Hello.")) == Answer("none")


@pytest.mark.parametrize(
    "piece", ["i cannot ", "as an ai ", "let's talk ", "i can't help you, ", "я не могу "]
)
def test_time_is_in_step_with_the_length(piece: str) -> None:
    def spent(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 9.0
        for _ in range(3):
            began = time.perf_counter()
            label(text)
            best = min(best, time.perf_counter() - began)
        return best

    spent(500)
    assert spent(READ) <= 40 * spent(READ // 10) + 0.02
    assert spent(20 * READ) <= 3 * spent(READ) + 0.02


# --- with a model


def test_a_tier_may_name_the_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    refuses = {"sorry": [0, 1, 0, 0], "cannot": [0, 1, 0, 0], "answer": [0, 0, 0, 1]}
    kinds = head(HEAD, LABELS, rest="none")
    static_dir(tmp_path / "static", [kinds], refuses)
    live = bind({"model": "static"}, Here())
    assert isinstance(live, Reader)
    assert [live.read(Read(text)).value for text in ("the cat", "sorry", "answer")] == [
        "none",
        "full",
        "deflect",
    ]
    weights = {"sorry": [0.0, 6.0, 0.0, 0.0], "answer": [0.0, 0.0, 0.0, 6.0]}
    model = classifier_onnx(weights, classes=4, bias=[3.0, 0.0, 0.0, 0.0])
    model_dir(tmp_path / "mini", model, heads=[{**kinds, "kind": "softmax"}])
    asked = bind({"model": "mini"}, Here())
    assert isinstance(asked, Caller)
    for text, named in (("the cat", "none"), ("sorry", "full"), ("answer", "deflect")):
        assert anyio.run(asked.call, Read(text)).value == named


def test_a_tier_without_the_head_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    static_dir(tmp_path / "static", [head("other", ["a", "b"])], {})
    with pytest.raises(BindError, match="has no head `refusal_kind`"):
        bind({"model": "static"}, Here())
    static_dir(tmp_path / "mini", [head(HEAD, ["a", "b"])], {})
    with pytest.raises(BindError, match="has other labels"):
        bind({"model": "mini"}, Here())
