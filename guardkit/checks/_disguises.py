"""The disguises a probe may put on its cases: ways to hide a text that a check has to see through.

The names are the language's; `guardkit.text` puts them on and takes them off.
"""

from __future__ import annotations

DISGUISES: tuple[str, ...] = (
    "adversarial_suffix",
    "ascii_art",
    "base64",
    "bidi_override",
    "braille",
    "case_chaos",
    "chat_tokens",
    "circled",
    "control_delete",
    "diacritics",
    "fullwidth",
    "hex",
    "homoglyph",
    "html_comment",
    "html_entity",
    "image_exfil",
    "invisible_misc",
    "leetspeak",
    "letter_spacing",
    "letterlike",
    "long_padding",
    "many_shot",
    "markup_split",
    "math_alnum",
    "morse",
    "newline_hyphen",
    "payload_split",
    "punct_split",
    "reverse_chars",
    "roleplay_wrap",
    "rot13",
    "sneaky_bits",
    "typoglycemia",
    "unicode_escape",
    "unicode_tags",
    "upside_down",
    "url_percent",
    "vs_smuggle",
    "zalgo",
    "zero_width",
)
