"""Bytes to policy text: UTF-8, and a plain word for everything else."""

from __future__ import annotations

import codecs

from guardkit.diagnostics import Diagnostic, Place, Source, Span, diagnose

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(path: str, data: bytes) -> Source | Diagnostic:
    """The text of a policy file, or the one diagnostic that says why it is none.

    A byte order mark of UTF-8 is dropped. The diagnostic's source holds what could be read, so
    that the place can be shown.
    """
    if data.startswith(_WIDE):
        source = Source(path, "\ufffd")
        return diagnose(
            "not-utf8",
            Place(source, Span(0, 1)),
            f"`{path}` is UTF-16 or UTF-32 text",
            help="save it as UTF-8",
        )
    data = data.removeprefix(codecs.BOM_UTF8)
    null = data.find(b"\0")
    if null >= 0:
        source = Source(path, data[:null].decode("utf-8", "replace") + "\ufffd")
        end = len(source.text)
        return diagnose(
            "binary-file",
            Place(source, Span(end - 1, end)),
            f"`{path}` is not text",
            help="a policy is a text file; is this the right path?",
        )
    try:
        return Source(path, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        source = Source(path, good + data[error.start :].decode("utf-8", "replace"))
        return diagnose(
            "not-utf8",
            Place(source, Span(len(good), len(good) + 1)),
            f"`{path}` is not UTF-8: byte {error.start + 1:,} is 0x{data[error.start]:02X}",
            help="save it as UTF-8",
        )
