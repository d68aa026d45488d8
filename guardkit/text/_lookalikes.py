"""Letters that pass for others: data for the tables, by what they look like.

`STRONG` letters cannot be told from the ASCII letter in most typefaces, `WEAK` ones resemble it.
Both belong to living alphabets, so a whole word decides whether they are read as ASCII. `ALWAYS`
are signs that nobody writes words with, `BY_NAME` letters of the Latin script itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STRONG = {
    "a": "а", "c": "сϲⲥ", "d": "ԁ", "e": "е", "f": "ք", "g": "ց", "h": "һհ", "i": "іⲓ", "j": "јյϳ",
    "k": "ⲕ", "n": "ո", "o": "оοօⲟ", "p": "рⲣ", "q": "ԛզ", "s": "ѕ", "u": "սυ", "v": "νѵ",
    "w": "ԝѡ", "x": "хⲭ", "y": "у", "l": "ӏ",
    "A": "АΑᎪꓮⲀ", "B": "ВΒᏴꓐⲂ", "C": "СϹᏟꓚⲤ", "D": "ᎠꓓԀ", "E": "ЕΕᎬꓰ", "F": "ꓝϜ", "G": "ԌᏀꓖ",
    "H": "НΗᎻꓧⲎ", "I": "ІΙӀꓲⲒ", "J": "ЈᎫꓙͿ", "K": "КΚᏦꓗⲔ", "L": "ԼᏞꓡ", "M": "МΜᎷꓟⲘ", "N": "ΝꓠⲚ",
    "O": "ОΟՕꓳⲞ", "P": "РΡᏢꓑⲢ", "Q": "Ԛ", "R": "ᎡᏒꓣ", "S": "ЅՏᏚꓢ", "T": "ТΤᎢꓔⲦ", "U": "Սꓴ",
    "V": "ѴᏙꓦ", "W": "ԜᎳꓪ", "X": "ХΧꓫⲬ", "Y": "ΥҮꓬⲨУ", "Z": "ΖᏃꓜⲌ",
}  # fmt: skip

WEAK = {
    "a": "αᗩӑӓ", "b": "ьвβЬᏏᑲ", "c": "ςҫᑕ", "d": "ժᏧᗪձ", "e": "εҽєӗէ", "f": "ƒғ", "g": "ԍցգ",
    "h": "нћђҺ", "i": "ιїɩ", "j": "ϳ", "k": "кκқҟ", "l": "ⅼᒪլ", "m": "мⲙʍ", "n": "ηռղ",
    "o": "σөδ", "p": "ρþԥ", "q": "ԛգ", "r": "гѓґᴦ", "s": "ʂ", "t": "тτէե", "u": "μմ",
    "w": "ωաѿպ", "x": "χҳ", "y": "γүӯӳўყ", "z": "ʐᴢ",
    "A": "Λᗅ", "B": "ЬᗷᏰ", "C": "ҪᑕƇ", "D": "ᗞᗪ", "E": "ΣЄƐ", "F": "ҒᖴՖ", "G": "Ꮆ", "H": "ҢᕼᎻ",
    "I": "Ї", "J": "ᒍ", "K": "ҚҜᛕ", "L": "ᒪ", "M": "ᗰ", "N": "ᑎ", "O": "ΘѲᝪ", "P": "ᑭ",
    "Q": "Ҩ", "R": "ᖇ", "S": "ᔕ", "T": "Ҭ", "U": "ᑌԱ", "V": "ᐯ", "W": "ᗯ", "X": "᙭Ҳ", "Y": "ЎУ",
    "3": "З",
}  # fmt: skip

ALWAYS = {
    "a": "ɑⱥ", "b": "", "c": "", "d": "ð", "e": "ɛɘ℮", "f": "", "g": "ɡᶃ", "h": "ℏ", "i": "ɩıᵻ",
    "j": "ȷ", "k": "ĸ", "l": "ɫ", "m": "ɱ", "n": "ŋ", "o": "ɵ", "p": "", "q": "", "r": "ɼɽɾ",
    "s": "ʂ", "t": "ƫ", "u": "ʊᵾ", "v": "ʋ", "w": "", "x": "", "y": "ɣ", "z": "ʐ",
    "D": "Ð", "E": "Ɛ", "I": "Ɩ", "N": "Ŋ", "U": "Ʊ", "V": "Ʋ",
    "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "'": "‘’‚‛′‵ʹʻʼʽˈ՚", '"': "“”„‟″‶«»", "-": "‐‑‒–—―−﹘⁃⎯➖",
    "/": "⁄∕⧸", "|": "∣❘ǀ│", "*": "∗⁎✱", "~": "∼〜", ":": "∶ꓽ", ".": "。․", "<": "‹", ">": "›",
    "·": "•∙⋅‧・", "\n": "\u2028\u2029\x85", " ": "\u1680\u2800",
}  # fmt: skip
"""What is folded wherever it stands. Two letters stand for one sign where one would not do."""

TURNED = {
    "a": "ɐ", "b": "q", "c": "ɔↄ", "d": "p", "e": "ǝə", "f": "ɟ", "g": "ƃɓ", "h": "ɥ", "i": "ᴉı",
    "j": "ɾſ", "k": "ʞ", "l": "lןʃꞁ", "m": "ɯ", "n": "u", "o": "o", "p": "d", "q": "b", "r": "ɹ",
    "s": "s", "t": "ʇ", "u": "n", "v": "ʌ", "w": "ʍ", "x": "x", "y": "ʎ", "z": "z",
    "A": "∀Ɐ", "B": "ᗺ", "C": "Ɔ", "D": "ᗡ", "E": "Ǝ", "F": "Ⅎ", "G": "⅁פ", "J": "ᒋ", "K": "ꓘ",
    "L": "⅂Ꞁ˥", "M": "Ɯ", "P": "Ԁ", "Q": "Ό", "R": "ᴚꓤ", "T": "⊥┴Ʇ", "U": "∩", "V": "Λ", "Y": "⅄",
    "1": "Ɩ", "2": "ᄅ", "3": "Ɛ", "4": "ㄣ", "5": "ϛ", "6": "9", "7": "ㄥ", "9": "6",
    ".": "˙", ",": "'", "'": ",", "?": "¿", "!": "¡", '"': "„", "(": ")", ")": "(", "[": "]",
    "]": "[", "{": "}", "}": "{", "<": ">", ">": "<", "&": "⅋", "_": "‾", ";": "؛",
}  # fmt: skip
"""A letter, and what it is written with upside down."""

_PLAIN = re.compile(
    r"LATIN (?:(?P<case>CAPITAL|SMALL) LETTER|LETTER SMALL CAPITAL) "
    r"(?:DOTLESS |SCRIPT |LONG |BARRED |SQUAT |DOUBLE-STRUCK |BLACKLETTER |FLATTENED OPEN |BROAD )?"
    r"(?P<letter>[A-Z])(?: WITH .*| ROTUNDA| DIGRAPH)?"
)


def by_name(name: str) -> str | None:
    """The ASCII letter that a Latin letter is a form of, as its Unicode name tells."""
    found = _PLAIN.fullmatch(name)
    if found is None:
        return None
    return found["letter"] if found["case"] == "CAPITAL" else found["letter"].lower()


def styled() -> Iterator[tuple[str, str]]:
    """Letters on shapes and in brackets, which compatibility leaves alone or spells out."""
    runs = (
        (0x249C, "abcdefghijklmnopqrstuvwxyz"), (0x1F110, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (0x1F130, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (0x1F150, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (0x1F170, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (0x2474, "123456789"), (0x2488, "123456789"),
        (0x2776, "123456789"), (0x2780, "123456789"), (0x278A, "123456789"), (0x24F5, "123456789"),
    )  # fmt: skip
    for first, letters in runs:
        yield from ((chr(first + n), letter) for n, letter in enumerate(letters))
    yield from (("\u24ff", "0"), ("\U0001f10b", "0"), ("\U0001f10c", "0"))
