"""Ordinary texts that no view, and no report of hidden characters, may misread."""

from __future__ import annotations

ORDINARY: dict[str, str] = {
    "persian": "می\u200cخواهم کتاب\u200cهای تازه را ببینم؛ خانه\u200cای بزرگ.",
    "hindi": "नमस्ते, क्\u200dष और श्री\u200cमान, हम कल मिलेंगे। र\u200dयाल",
    "bengali": "র\u200d্যাম এবং ক্\u200cষ বাংলা লেখা",
    "sinhala": "ශ්\u200dරී ලංකාව",
    "hebrew": "שָׁלוֹם עֲלֵיכֶם, מַה שְּׁלוֹמְךָ?",
    "hebrew with mark": "המחיר הוא 50%\u200f בלבד",
    "arabic": "السلام عليكم، كيف حالك؟ \u2067نص\u2069 مُشَكَّل",
    "families": "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d💻 🏳️\u200d🌈 ❤️\u200d🔥 ✈️ 1️⃣ #️⃣ ☎︎ ©️",
    "flags": "🇩🇪 🇺🇸 🇯🇵 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
    "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "vietnamese": "Tiếng Việt có dấu, cảm ơn bạn rất nhiều!",
    "czech": "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "german": "Die Straße führt über die Brücke nach Köln, größtenteils.",
    "thai": "ภาษาไทย\u200bไม่มี\u200bช่องว่าง",
    "khmer": "ភាសា\u200bខ្មែរ",
    "korean": "오늘 회의는 세 시에 시작합니다.",
    "old korean": "\u1112\u119e\u11ab\u1100\u1173\u11af",
    "chinese": "我们今天讨论报告。葛\U000e0100城市",
    "japanese": "ガギグ カタカナ、ひらがな。\u30cf\u309a",
    "russian": "Привет! Как у вас дела? Всё хорошо.",
    "ukrainian": "Її село і поле, що сьогодні?",
    "greek": "Καλημέρα, τι κάνετε; Όλα καλά.",
    "mongolian": "\u1820\u180b\u182d\u1820",
    "byte order mark": "\ufeffPlain text with a mark in front.",
    "code": "def f(a, b):\n    return {k: v for k, v in zip(a, b)}  # 100%\n",
    "hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "identifier": "123e4567-e89b-12d3-a456-426614174000",
    "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "table": "| name | size |\n|------|------|\n| a.txt | 12 kB |\n",
    "hosts": "See api-2.example.com, version 1.14.2-rc1, from 10.0.0.7 on.",
    "markdown": "## Title\n\nSome **bold** and `code`, a [link](https://example.com/a%20b).\n\n- one\n- two\n",  # noqa: E501
}
