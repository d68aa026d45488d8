"""From the bytes of a file to a source: the encoding is part of the syntax, reading is not."""

from __future__ import annotations

import codecs

from guardkit.diagnostics import Diagnostic, Place, Source, Span, diagnose


def decode(path: str, data: bytes) -> tuple[Source, Diagnostic | None]:
    """The text of a policy file: UTF-8, with or without a byte order mark.

    Returns the source and, where the bytes are not text, the diagnostic that says so; the source
    then holds what could be read, so that the place can be shown.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    null = data.find(b"\0")
    if null >= 0 or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        source = Source(path, data[: max(null, 0)].decode("utf-8", "replace") + "\ufffd")
        end = len(source.text)
        return source, diagnose(
            "binary-file",
            Place(source, Span(end - 1, end)),
            "the file is not text",
            help="save it as UTF-8",
        )
    try:
        return Source(path, data.decode("utf-8")), None
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        source = Source(path, good + data[error.start :].decode("utf-8", "replace"))
        place = Place(source, Span(len(good), len(good) + 1))
        return source, diagnose(
            "not-utf8",
            place,
            f"byte {error.start:,} (0x{data[error.start]:02X}) is not UTF-8",
            help="save the file as UTF-8",
        )
