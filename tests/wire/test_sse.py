"""Events are the same however their bytes are cut; what is broken or cut off is never shown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from random import Random

import pytest

from guardkit.wire._sse import LARGEST_EVENT, BrokenStream, Event, EventReader, event_bytes

Told = tuple[list[Event], bool | None]
"""The events, and whether the stream was cut; None for a stream that broke."""


def told(pieces: Iterable[bytes]) -> Told:
    """What a reader makes of a stream that comes in `pieces`."""
    reader = EventReader()
    events: list[Event] = []
    try:
        for piece in pieces:
            events += reader.feed(piece)
        assert reader.is_cut is False
        events += reader.finish()
    except BrokenStream:
        return events, None
    return events, reader.is_cut


def said(stream: bytes) -> Told:
    """The same by the words of the format, a byte at a time."""
    lines: list[bytes] = []
    line = b""
    for at in range(len(stream)):
        byte = stream[at : at + 1]
        if byte == b"\n" and stream[at - 1 : at] == b"\r":
            continue
        if byte in (b"\r", b"\n"):
            lines.append(line)
            line = b""
        else:
            line += byte
    events: list[Event] = []
    data = kind = ""
    lines.append(line)
    lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    rest = lines.pop()
    for line in lines:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return events, None
        if text == "":
            if data:
                events.append(Event(kind, data[:-1]))
            data = kind = ""
            continue
        field, value = text, ""
        if ":" in text:
            colon = text.index(":")
            field, value = text[:colon], text[colon + 1 :]
            if value[:1] == " ":
                value = value[1:]
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
    return events, bool(rest or data or kind)


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


# --- the format, by example


@pytest.mark.parametrize(
    ("stream", "events", "is_cut"),
    [
        (b"", [], False),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", "YHOO\n+2\n10")], False),
        (b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third",
         [("", "first"), ("", "second")], True),
        (b"data: x\n\ndata:  third\n\n", [("", "x"), ("", " third")], False),
        (b"data\n\ndata\ndata\n\ndata:", [("", ""), ("", "\n")], True),
        (b"data:test\n\ndata: test\n\n", [("", "test"), ("", "test")], False),
        (b"event: add\ndata: 7\n\nevent: remove\ndata: 21\n\n", [("add", "7"), ("remove", "21")],
         False),
        (b"event: a\nevent: b\ndata: 1\n\n", [("b", "1")], False),
        (b"event: a\nevent\ndata: 1\n\n", [("", "1")], False),
        (b"event: lost\n\ndata: 1\n\n", [("", "1")], False),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("", "a"), ("", "b"), ("", "c")], False),
        (b"data: a\n\r\ndata: b\r\n\n", [("", "a"), ("", "b")], False),
        (b"\xef\xbb\xbfdata: 1\n\n", [("", "1")], False),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\ndata: 2\n\n", [("", "2")], False),
        (b"\n\xef\xbb\xbfdata: 1\n\n", [], False),
        (b"\xef\xbb\xbf\ndata: 1\n\n", [("", "1")], False),
        (b"\xef\xbb\xbf", [], False),
        (b"\xef\xbb", [], True),
        (b"id: 1\nretry: 10\nother: x\nDATA: y\n data: z\n\n", [], False),
        (b": comment\n:\n", [], False),
        (b": half a comm", [], True),
        (b"data: 1\n", [], True),
        (b"data: 1\n\nevent: x\n", [("", "1")], True),
        (b"data: \xe2\x82", [], True),
        (b"data: a:b: c\n\n", [("", "a:b: c")], False),
        ("data: é\u2028\u0085\x0b\x0c\x1e\0\n\n".encode(),
         [("", "é\u2028\u0085\x0b\x0c\x1e\0")], False),
        ("data: \ufeff\U0001f600\n\n".encode(), [("", "\ufeff\U0001f600")], False),
    ],
)  # fmt: skip
def test_the_format(stream: bytes, events: list[tuple[str, str]], is_cut: bool) -> None:
    wanted = ([Event(*event) for event in events], is_cut)
    assert said(stream) == wanted
    assert told([stream]) == wanted
    assert told(one_by_one(stream)) == wanted
    for at in range(len(stream) + 1):
        assert told([stream[:at], b"", stream[at:]]) == wanted


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
)
@pytest.mark.parametrize("field", [b"data: ", b": ", b"id: ", b"event: ", b""])
def test_a_stream_that_is_not_utf8_breaks_after_the_events_before(bad: bytes, field: bytes) -> None:
    stream = b"data: a\n\n" + field + bad + b"secret\n\ndata: b\n\n"
    wanted: Told = ([Event("", "a")], None)
    assert told([stream]) == told(one_by_one(stream)) == wanted
    for at in range(len(stream) + 1):
        assert told([stream[:at], stream[at:]]) == wanted


def test_a_broken_stream_stays_broken_and_quotes_nothing() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n\ndata: canary\xff\n\n") == [Event("", "a")]
    for call in (lambda: reader.feed(b"data: b\n\n"), reader.finish):
        with pytest.raises(BrokenStream) as caught:
            call()
        assert "canary" not in repr(caught.value)
    reader = EventReader()
    with pytest.raises(BrokenStream) as caught:
        reader.feed(b"data: canary\xff\n\n")
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_an_event_comes_with_its_last_byte() -> None:
    """Not with the byte after: a model that pauses keeps nobody waiting."""
    for end in (b"\n\n", b"\r\r", b"\r\n\r"):
        reader = EventReader()
        assert reader.feed(b"data: 1" + end[:-1]) == []
        assert reader.feed(end[-1:]) == [Event("", "1")]
        assert reader.finish() == []


# --- random streams


PIECES = (
    b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"x", b'{"a":1}', b"[DONE]",
    b"\n", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b"\n\n", b"\ndata: ", b"\r\ndata:",
    "é".encode(), "\U0001f600".encode(), b"\xef\xbb\xbf", "\u2028".encode(), b"\x00",
)  # fmt: skip
BAD = (b"\xff", b"\xe2\x82", b"\x9f")


def random_stream(random: Random) -> bytes:
    bad = BAD if random.random() < 0.15 else ()
    start = b"\xef\xbb\xbf" if random.random() < 0.2 else b""
    return start + b"".join(random.choices(PIECES + bad, k=random.randrange(60)))


def random_cuts(random: Random, stream: bytes) -> list[bytes]:
    places = sorted(random.choices(range(len(stream) + 1), k=random.randrange(12)))
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


def cut_every_way(count: int, seed: int) -> None:
    random = Random(seed)
    events = broken = cut = 0
    for _ in range(count):
        stream = random_stream(random)
        wanted = said(stream)
        assert told([stream]) == wanted, stream
        assert told(one_by_one(stream)) == wanted, stream
        for at in range(len(stream) + 1):
            assert told([stream[:at], stream[at:]]) == wanted, (stream, at)
        for _ in range(20):
            pieces = random_cuts(random, stream)
            assert told(pieces) == wanted, pieces
        events += len(wanted[0])
        broken += wanted[1] is None
        cut += wanted[1] is True
    assert min(events, broken, cut) > count / 20, (events, broken, cut)


def test_no_cut_changes_the_events() -> None:
    cut_every_way(500, seed=3)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_no_cut_changes_the_events_of_twenty_thousand_streams() -> None:
    cut_every_way(20_000, seed=30)


# --- bounds


def test_the_largest_event_passes_and_a_larger_one_breaks() -> None:
    fits = b"data: " + b"x" * (LARGEST_EVENT - 6)
    for stream, is_broken in (
        (fits + b"\n\n", False),
        (fits + b"x\n\n", True),
        (fits + b"x", True),
    ):
        for size in (2**16, 10**6, len(stream)):
            pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
            events, is_cut = told(pieces)
            assert (is_cut is None) == is_broken
            assert len(events) == (0 if is_broken else 1)


@pytest.mark.parametrize("line", [b"data: " + b"x" * 994 + b"\n", b"data:" + b" " * 90 + b"\r\n"])
def test_lines_of_one_event_are_counted_together(line: bytes) -> None:
    within = line * (LARGEST_EVENT // len(line.rstrip(b"\r\n")))
    assert told([within, b"\n"])[1] is False
    assert told([within, line, b"\n"]) == ([], None)
    assert told([within, b"\n", within, b"\n"])[1] is False


def test_comments_and_other_fields_may_go_on_for_ever() -> None:
    reader = EventReader()
    for _ in range(12):
        assert reader.feed(b": still here\n" * 50_000 + b"event: ping\n" * 10_000) == []
    assert reader.feed(b"data: 1\n\n") == [Event("ping", "1")]
    with pytest.raises(BrokenStream):
        reader.feed(b": " + b"x" * LARGEST_EVENT)


def seconds_for(pieces: list[bytes]) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        assert len(told(pieces)[0]) == 1
        best = min(best, time.perf_counter() - began)
    return best


@pytest.mark.parametrize("part", [b"x", b"\ndata: x"])
def test_cost_grows_with_the_bytes_alone(part: bytes) -> None:
    """Eight times the bytes, fed one by one: eight times the time, not sixty-four times."""
    small = one_by_one(b"data: " + part * (40_000 // len(part)) + b"\n\n")
    large = one_by_one(b"data: " + part * (320_000 // len(part)) + b"\n\n")
    assert seconds_for(large) < 24 * seconds_for(small)


# --- writing


def test_what_is_written_is_read_again() -> None:
    random = Random(5)
    alphabet = "ab :é\U0001f600\ufeff\u2028\x00{}\"'"
    stream = b""
    wanted = []
    for _ in range(2_000):
        data = "".join(random.choices(alphabet, k=random.randrange(8)))
        kind = "".join(random.choices(alphabet, k=random.choice((0, 0, 1, 5))))
        wanted.append(Event(kind, data))
        stream += event_bytes(data.encode(), kind)
    assert told([stream]) == (wanted, False)


def test_the_two_forms_on_the_wire() -> None:
    assert event_bytes(b"[DONE]") == b"data: [DONE]\n\n"
    assert event_bytes(b"{}", "ping") == b"event: ping\ndata: {}\n\n"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_line_end_never_starts_a_field(end: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        event_bytes(f"a{end}event: b".encode())
    with pytest.raises(ValueError, match="one line"):
        event_bytes(b"{}", f"a{end}data: b")
