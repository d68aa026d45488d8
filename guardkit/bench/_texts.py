"""Texts to measure with: prose in several languages, near hits, and how they come in turn.

Every text is made from a seed, of word lists written for this. No two calls get the same text:
a model keeps what it read lately, and a figure of such a call would say nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Final

SIZES: Final = (60, 200, 1_000, 4_000)
"""Characters of the texts that are measured with where nobody says."""

QUICK_SIZES: Final = (200, 1_000)
"""The same where time is short."""

HOSTILE_SIZE: Final = 1_000
POOL: Final = 128
"""How many texts a group has, at most."""
POOL_CHARS: Final = 256_000
"""How many characters a group has, about: the longer its texts, the fewer they are."""

_ENGLISH = """
the a this every our your order invoice parcel meeting garden train ticket account question answer
manager teacher kitchen winter morning water price colour letter holiday bicycle window report
please thanks maybe often never today tomorrow between without about after before because while
arrived changed opened asked wrote sent paid needs wants finds likes keeps moves calls helps
small green late early quiet useful strange friendly empty new old warm better second
"""
_GERMAN = """
der die das ein eine unser jede Bestellung Rechnung Paket Termin Garten Zug Fahrkarte Konto Frage
Antwort Leiterin Lehrer Küche Winter Morgen Wasser Preis Farbe Brief Urlaub Fahrrad Fenster Bericht
bitte danke vielleicht oft nie heute morgen zwischen ohne über nach vor weil während kommt ändert
öffnet fragt schreibt schickt bezahlt braucht möchte findet mag behält ruft hilft klein grün spät
früh ruhig nützlich seltsam freundlich leer neu alt warm besser
"""
_SPANISH = """
el la un una este nuestra cada pedido factura paquete reunión jardín tren billete cuenta pregunta
respuesta directora maestro cocina invierno mañana agua precio color carta vacaciones bicicleta
ventana informe por favor gracias quizá siempre nunca hoy entre sin sobre después antes porque
mientras llega cambia abre pide escribe envía paga necesita quiere encuentra guarda llama ayuda
pequeño verde tarde temprano tranquilo útil extraño amable vacío nuevo viejo mejor
"""
_FRENCH = """
le la un une ce notre chaque commande facture colis réunion jardin train billet compte question
réponse directrice maître cuisine hiver matin eau prix couleur lettre vacances vélo fenêtre rapport
merci peut-être souvent jamais demain entre sans sur après avant parce que pendant arrive change
ouvre demande écrit envoie paie veut trouve garde appelle aide petit vert tard tôt calme utile
étrange aimable vide nouveau vieux chaud meilleur
"""
_RUSSIAN = """
этот наша каждый заказ счёт посылка встреча сад поезд билет вопрос ответ учитель кухня зима утро
вода цена цвет письмо отпуск велосипед окно отчёт пожалуйста спасибо может часто никогда сегодня
завтра между без после перед потому пока пришёл изменил открыл спросил написал отправил нужен хочет
нашёл любит звонит помогает маленький зелёный поздно рано тихий полезный странный пустой новый
старый тёплый лучше
"""
_CHINESE = """
我们 这个 每天 订单 发票 包裹 会议 花园 火车 车票 账户 问题 回答 经理 老师 厨房 冬天 早上
水 价格 颜色 信 假期 自行车 窗户 报告 请 谢谢 也许 经常 从不 今天 明天 之间 没有 关于
以后 以前 因为 到了 改变 打开 问 写 寄 付 需要 想 找到 喜欢 保持 打电话 帮助 小 绿色
晚 早 安静 有用 奇怪 友好 空 新 旧 暖和 更好
"""

LANGUAGES: Final = tuple(
    language
    for other in ("German", "Spanish", "French", "Russian", "Chinese")
    for language in ("English", "English", other)
)
"""The languages of a group's texts, in turn.

Plain ASCII is judged much faster than the rest. With two thirds of it the median is about the one
and p99 about the other, and neither lies in the gap between them.
"""

_WORDS = {
    "English": _ENGLISH.split(),
    "German": _GERMAN.split(),
    "Spanish": _SPANISH.split(),
    "French": _FRENCH.split(),
    "Russian": _RUSSIAN.split(),
    "Chinese": _CHINESE.split(),
}
_SYLLABLES = """
ba ce di fo gu ha ki lo mu na pe ri so tu va we yo za bel dor fin gal har min
""".split()  # noqa: SIM905 - read as words


def prose(seed: int, size: int) -> str:
    """Ordinary text of `size` characters: no keys, no addresses, no orders."""
    language = LANGUAGES[seed % len(LANGUAGES)]
    random = Random(f"prose {seed} {size}")  # noqa: S311 - no secret
    return _filled(size, lambda: _sentence(random, language))


def _sentence(random: Random, language: str) -> str:
    words = [_word(random, language) for _ in range(random.randint(4, 13))]
    if language == "Chinese":
        return "".join(words) + random.choice("。。？")
    if random.random() < 0.3:
        words[random.randrange(len(words) - 1)] += ","
    said = " ".join(words)
    return said[0].upper() + said[1:] + random.choice((". ", ". ", "? ", ".\n"))


def _word(random: Random, language: str) -> str:
    """A common word, a name or a number: real text is never short of new words."""
    dice = random.random()
    if dice < 0.8 or language == "Chinese":
        return random.choice(_WORDS[language])
    if dice < 0.97:
        made = "".join(random.choices(_SYLLABLES, k=random.randint(2, 4)))
        return made.capitalize() if dice < 0.9 else made
    return str(random.randint(2, 2_999))


def near_hits(seed: int, size: int) -> str:
    """Hostile text of `size` characters: half matches, digits, encoded runs, spaced letters.

    Nothing in it says anything. It costs what an attacker could make every text cost.
    """
    random = Random(f"near hits {seed} {size}")  # noqa: S311 - no secret
    return _filled(size, lambda: random.choice(_KINDS)(random))


def _half_match(random: Random) -> str:
    heads = ("AKIA12", "ghp_ab1", "sk_live_9", "eyJhb.", "-----BEGIN ", "http://a", "a.b@c",
             "ignore all prev", "disregard the", "print your sys", "user: ", "<img src=", "../",
             "password = ", "DE89 3704", "bearer ")  # fmt: skip
    return random.choice(heads) + random.choice(" .-:@/=") * random.randint(0, 2)


def _digits(random: Random) -> str:
    groups = [str(random.randrange(10**4)).zfill(4) for _ in range(random.randint(2, 5))]
    return random.choice(" -.").join(groups) + " "


def _encoded(random: Random) -> str:
    """Base64 of prose: it decodes to a text, which is looked at too."""
    said = _sentence(random, "English").encode()
    return b64encode(said).decode().rstrip("=") + " "


def _run(random: Random) -> str:
    letters = "ABCDEFGHabcdefgh0123456789+/_-"
    return "".join(random.choices(letters, k=random.randint(16, 48))) + " "


def _spaced(random: Random) -> str:
    word = random.choice(_WORDS["English"]) + random.choice(_WORDS["English"])
    return " ".join(word) + "  "


def _spelled(random: Random) -> str:
    swapped = random.choice(_WORDS["English"]).translate(str.maketrans("aeios", "43105"))
    return swapped + random.choice((" ", "_", ". ", "\u200b"))


_KINDS: Final[tuple[Callable[[Random], str], ...]] = (
    _half_match, _half_match, _digits, _encoded, _run, _spaced, _spelled,
)  # fmt: skip


def _filled(size: int, piece: Callable[[], str]) -> str:
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(piece())
        length += len(parts[-1])
    return "".join(parts)[:size]


def pool_of(make: Callable[[int, int], str], size: int, count: int | None = None) -> list[str]:
    """Distinct texts of one kind and size, as many as a group has where nobody says."""
    many = min(POOL, max(POOL_CHARS // size, 16)) if count is None else count
    return list(dict.fromkeys(make(seed, size) for seed in range(many)))


class Texts:
    """Texts in turn, without end: a new order every lap, and never one that was there before.

    From the second lap on a text ends in white space that tells its lap, so that nothing that was
    kept of it is of use.

    Args:
        texts: The texts; at least one.
        seed: Decides the order of the laps.
    """

    def __init__(self, texts: Sequence[str], seed: int = 0) -> None:
        if not texts:
            raise ValueError("there are no texts")
        self.texts = tuple(texts)
        self._random = Random(f"laps {seed}")  # noqa: S311 - no secret
        self._running = self._run()

    def __len__(self) -> int:
        return len(self.texts)

    def next(self) -> str:
        """The next text."""
        return next(self._running)

    def _run(self) -> Iterator[str]:
        order = list(self.texts)
        lap = 0
        while True:
            mark = _mark(lap)
            for text in order:
                yield text + mark
            lap += 1
            self._random.shuffle(order)


@cache
def _mark(lap: int) -> str:
    """White space that stands for a number: few characters, even for a great one."""
    return "".join(" \n"[int(bit)] for bit in f"{lap:b}") if lap else ""
