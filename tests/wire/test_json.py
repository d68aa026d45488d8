"""Bodies are read strictly: what is accepted, every strict parser reads alike, and writes again.

The reference here is a plain parser written from the grammar. It shares nothing with the code.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest

from guardkit.wire import Fault
from guardkit.wire._json import (
    DEEPEST,
    MOST_REPLY_WORK,
    MOST_WORK,
    check_content,
    read_json,
    write_json,
)

# --- the reference


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """No JSON by the strict rules."""


class Reference:
    """One body, read a character at a time."""

    def __init__(self, body: bytes) -> None:
        try:
            self.text = body.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Refused from None
        self.at = 0

    def read(self) -> dict[str, Any]:
        self.skip_blanks()
        value = self.value(0)
        self.skip_blanks()
        if self.at != len(self.text) or not isinstance(value, dict):
            raise Refused
        return value

    def skip_blanks(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t", "\n", "\r"):
            self.at += 1

    def take(self, wanted: str) -> bool:
        if self.text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise Refused

    def value(self, depth: int) -> Any:
        if self.take("{"):
            return self.object(depth + 1)
        if self.take("["):
            return self.list(depth + 1)
        if self.take('"'):
            return self.string()
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.take(word):
                return value
        return self.number()

    def object(self, depth: int) -> dict[str, Any]:
        if depth > 50:
            raise Refused
        made: dict[str, Any] = {}
        self.skip_blanks()
        if self.take("}"):
            return made
        while True:
            self.skip_blanks()
            self.need('"')
            key = self.string()
            if key in made:
                raise Refused
            self.skip_blanks()
            self.need(":")
            self.skip_blanks()
            made[key] = self.value(depth)
            self.skip_blanks()
            if self.take("}"):
                return made
            self.need(",")

    def list(self, depth: int) -> list[Any]:
        if depth > 50:
            raise Refused
        made: list[Any] = []
        self.skip_blanks()
        if self.take("]"):
            return made
        while True:
            self.skip_blanks()
            made.append(self.value(depth))
            self.skip_blanks()
            if self.take("]"):
                return made
            self.need(",")

    def string(self) -> str:
        units: list[int] = []  # UTF-16, so that pairs and halves are plain to see
        while not self.take('"'):
            c = self.text[self.at : self.at + 1]
            self.at += 1
            if c == "" or c < " ":
                raise Refused
            if c != "\\":
                pair = c.encode("utf-16-le")
                units += [int.from_bytes(pair[i : i + 2], "little") for i in range(0, len(pair), 2)]
                continue
            kind = self.text[self.at : self.at + 1]
            self.at += 1
            if kind == "u":
                digits = self.text[self.at : self.at + 4]
                if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                    raise Refused
                units.append(int(digits, 16))
                self.at += 4
            else:
                plain = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True)).get(kind)
                if plain is None:
                    raise Refused
                units.append(ord(plain))
        try:
            return b"".join(u.to_bytes(2, "little") for u in units).decode("utf-16-le")
        except UnicodeDecodeError:
            raise Refused from None

    def number(self) -> int | float:
        found = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?").match(
            self.text, self.at
        )
        if found is None:
            raise Refused
        self.at = found.end()
        if found[2] is None and found[3] is None:
            whole = int(found[1])
            if whole.bit_length() > (63 if whole < 0 else 64) and whole != -(2**63):
                raise Refused
            return whole
        number = float(found[0])
        if number in (float("inf"), float("-inf")):
            raise Refused
        return number


def refusal(body: bytes, **keys: Any) -> str:
    """The code with which `body` is refused, empty where it is read."""
    try:
        read_json(body, **keys)
    except Fault as fault:
        return fault.code
    return ""


# --- what is read


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{ "a" : [ ] }\n', {"a": []}),
        (b'{"a":[1,-2,0,-0.0,1.5e3,true,false,null]}', None),
        (b'{"a":18446744073709551615,"b":-9223372036854775808}', None),
        (b'{"a":1e308,"b":1e-999,"c":1.7976931348623157e308}', None),
        (
            '{"é":"\U0001f600","A":"\\ud83d\\uDE00"}'.encode(),
            {"é": "\U0001f600", "A": "\U0001f600"},
        ),
        (b'{"a":"\\u0000\\"\\\\\\/\\b\\f\\n\\r\\t"}', {"a": '\x00"\\/\b\f\n\r\t'}),
        (b'{"":{"":{"":1}},"a":{"":2}}', None),
        (b'{"\xe2\x80\xa8":"\xef\xbb\xbf\x7f"}', {"\u2028": "\ufeff\x7f"}),
        (b'{"a":"[[[{{{,,,\\"]]]"}', {"a": '[[[{{{,,,"]]]'}),
    ],
)
def test_a_good_body_is_read(body: bytes, value: object) -> None:
    read = read_json(body)
    assert repr(read) == repr(json.loads(body))
    assert value is None or read == value
    assert repr(json.loads(write_json(read))) == repr(read)


REFUSED = {
    b"": "invalid_json",
    b" \n": "invalid_json",
    b"{": "invalid_json",
    b"{}x": "invalid_json",
    b"{}{}": "invalid_json",
    b"{}\x00": "invalid_json",
    b"\x0b{}": "invalid_json",
    b"{'a':1}": "invalid_json",
    b"{a:1}": "invalid_json",
    b'{"a":1,}': "invalid_json",
    b'{"a":[1,]}': "invalid_json",
    b'{"a":01}': "invalid_json",
    b'{"a":+1}': "invalid_json",
    b'{"a":1.}': "invalid_json",
    b'{"a":.5}': "invalid_json",
    b'{"a":0x10}': "invalid_json",
    b'{"a":1_000}': "invalid_json",
    '{"a":\u0661}'.encode(): "invalid_json",
    b'{"a":NaN}': "invalid_json",
    b'{"a":Infinity}': "invalid_json",
    b'{"a":[-Infinity]}': "invalid_json",
    b'{"a":"\n"}': "invalid_json",
    b'{"a":"\x00"}': "invalid_json",
    b'{"a":"\\x41"}': "invalid_json",
    b'{"a":"\\u00g0"}': "invalid_json",
    b'{"a":"\\u 123"}': "invalid_json",
    b'{"a":1}//': "invalid_json",
    b'/**/{"a":1}': "invalid_json",
    '{"a":1}'.encode("utf-16-le"): "invalid_json",
    '{"a":1}'.encode("utf-16"): "invalid_utf8",
    b'\xef\xbb\xbf{"a":1}': "invalid_utf8",
    b'{"a":"\xff"}': "invalid_utf8",
    b'{"a":"\xc0\xa2"}': "invalid_utf8",
    b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}': "invalid_utf8",
    b'{"a":"\xf4\x90\x80\x80"}': "invalid_utf8",
    b'{"a":"\xe2\x82"}': "invalid_utf8",
    b'{"a":1,"a":1}': "duplicate_key",
    b'{"a":1,"\\u0061":2}': "duplicate_key",
    b'{"/":1,"\\/":2}': "duplicate_key",
    b'{"m":[{"x":{"role":"user","content":"hi","role":"user"}}]}': "duplicate_key",
    '{"\U0001f600":1,"\\ud83d\\ude00":2}'.encode(): "duplicate_key",
    b'{"a":1e999}': "number_out_of_range",
    b'{"a":[-1e309]}': "number_out_of_range",
    b'{"a":1' + b"0" * 400 + b".0}": "number_out_of_range",
    b'{"a":18446744073709551616}': "number_out_of_range",
    b'{"a":-9223372036854775809}': "number_out_of_range",
    b'{"a":' + b"9" * 50_000 + b"}": "number_out_of_range",
    b'{"a":"\\ud83d"}': "invalid_text",
    b'{"a":"\\ude00\\ud83d"}': "invalid_text",
    b'{"a":"\\ud83d-\\ude00"}': "invalid_text",
    b'{"\\udc00":1}': "invalid_text",
    b'{"a":[{"b":["\\uDFFF"]}]}': "invalid_text",
    b"[]": "not_an_object",
    b'"{}"': "not_an_object",
    b"1": "not_an_object",
    b"null": "not_an_object",
    b'{"a":' + b"[" * 50 + b"]" * 50 + b"}": "too_deep",
    b'{"a":' * 51 + b"1" + b"}" * 51: "too_deep",
    b"[" * 90_000: "too_deep",
    b'{"a":[' * 20_000: "too_deep",
    b"[" * 5_000_000: "too_large",
    b'"' * 5_000_000: "too_large",
    b'{"a":' + b"9" * 5_000_000 + b"}": "too_large",
}


@pytest.mark.parametrize(("body", "code"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_bad_body_is_refused_by_its_name(body: bytes, code: str) -> None:
    with pytest.raises(Fault) as caught:
        read_json(body)
    assert caught.value.code == code
    assert caught.value.status == (413 if code == "too_large" else 400)


@pytest.mark.parametrize(
    "body",
    [
        b'{"canary-7f3a":1,"canary-7f3a":1}',
        b'{"a":"canary-7f3a\xff"}',
        b'{"a":"canary-7f3a"',
        b'{"a":"canary-7f3a\\ud800"}',
        b'{"a":"canary-7f3a","b":1e999}',
        b'{"a":"canary-7f3a","b":NaN}',
        b'{"a":"canary-7f3a","b":' + b"[" * 60 + b"]" * 60 + b"}",
        b'["canary-7f3a"]',
    ],
)
def test_a_fault_holds_nothing_of_the_body(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_json(body, what="reply")
    fault = caught.value
    assert fault.message.startswith("the reply ")
    # A decoder's error, were it chained, would carry the whole text.
    assert fault.__cause__ is None
    assert fault.__context__ is None
    assert "canary" not in f"{fault!r} {fault} {fault.args} {vars(fault)}"


def test_nesting_is_counted_outside_of_texts_only() -> None:
    inner = DEEPEST - 1
    for first, last in ((b"[", b"]"), (b'{"a":', b"}")):
        assert refusal(b'{"a":' + first * inner + b'"[[{{"' + last * inner + b"}") == ""
        assert refusal(b'{"a":' + first * (inner + 1) + b"1" + last * (inner + 1) + b"}")
    wide = b'{"a":[' + b",".join([b'[{"b":"[\\"[\\\\"}]'] * 500) + b"]}"
    assert len(read_json(wide)["a"]) == 500


def test_texts_are_not_counted_as_work() -> None:
    table = 'a,"b",[c],{d}\n' * 100_000
    body = json.dumps({"messages": [{"content": table}]}).encode()
    assert len(body) > 10 * MOST_WORK
    assert read_json(body)["messages"][0]["content"] == table


def test_a_reply_may_be_longer_than_a_request() -> None:
    random = Random(2)
    vectors = [[random.gauss(0, 0.03) for _ in range(1_536)] for _ in range(150)]
    odds = [
        {"token": "ab", "logprob": -i / 7, "bytes": [97, 98], "top_logprobs": [
            {"token": "ab", "logprob": -j / 7, "bytes": [97, 98]} for j in range(20)
        ]} for i in range(2_000)
    ]  # fmt: skip
    for value in ({"data": [{"embedding": v} for v in vectors]}, {"content": odds}):
        body = json.dumps(value).encode()
        assert refusal(body) == "too_large"
        assert read_json(body, most=MOST_REPLY_WORK) == value


# --- fuzzed bodies


class Bodies:
    """Bodies with all the odd spellings JSON knows, whole or damaged."""

    KEYS = ("a", "b", "role", "content", "", "é", "\U0001f600", 'q"', "\\", "a\nb")
    NUMBERS = (
        "0", "-0", "1", "-1", "1.5", "-0.0", "1e5", "1E+5", "1e-400", "1e308", "1e309", "-1e999",
        "18446744073709551615", "18446744073709551616", "-9223372036854775808",
        "-9223372036854775809", "123456789012345678901234567890", "0.1234567890123456789",
        "1.7976931348623159e308", "00", "01", "1.", ".5", "+1", "NaN", "Infinity", "-Infinity",
        "0x1f", "1e", "--1", "5e-324",
    )  # fmt: skip
    GOOD_NUMBERS = 12
    PIECES = (
        b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\x00", b"\xff", b"\xed\xa0",
        b"\xef\xbb\xbf", b"\\u", b"\\ud83d", b"\\u0061", b"1e999", b"NaN", b"null", b'"a":1,', b"/",
    )  # fmt: skip

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def body(self) -> bytes:
        pick = self.random.random()
        if pick < 0.03:
            return self.random.randbytes(self.random.randrange(40))
        if pick < 0.08:
            return b"".join(self.random.choices(self.PIECES, k=self.random.randrange(1, 30)))
        self.is_odd = self.random.random() < 0.3
        text = self.object(0) if pick < 0.97 else self.value(0)
        body = text.encode("utf-8", "surrogatepass")
        if pick > 0.94:
            deep = self.random.randrange(45, 55)
            first, last = self.random.choice([(b"[", b"]"), (b'{"d":', b"}")])
            body = b'{"a":' + first * deep + body + last * deep + b"}"
        if self.random.random() < 0.4:
            body = self.damaged(body)
        return body

    def damaged(self, body: bytes) -> bytes:
        for _ in range(self.random.randrange(1, 4)):
            at, to = sorted(self.random.choices(range(len(body) + 1), k=2))
            match self.random.randrange(5):
                case 0:
                    body = body[:at] + self.random.choice(self.PIECES) + body[at:]
                case 1:
                    body = body[:at] + body[at + 1 :]
                case 2:
                    body = body[:at] + self.random.randbytes(1) + body[at + 1 :]
                case 3:
                    body = body[:at] + body[at : at + 20] + body[at:]
                case _:
                    body = body[:at] if self.random.random() < 0.3 else body[:to] + body[at:]
        return body

    def blanks(self) -> str:
        return "".join(self.random.choices(" \t\r\n", k=self.random.choice((0, 0, 0, 1, 3))))

    def value(self, depth: int) -> str:
        kinds = 3 if depth > 4 else 5
        match self.random.randrange(kinds):
            case 0:
                return self.string("".join(self.random.choices('abc é\U0001f600\\"\n{}[],:', k=6)))
            case 1:
                most = len(self.NUMBERS) if self.is_odd else self.GOOD_NUMBERS
                return self.NUMBERS[self.random.randrange(most)]
            case 2:
                return self.random.choice(("true", "false", "null"))
            case 3:
                items = [self.value(depth + 1) for _ in range(self.random.randrange(4))]
                return f"[{self.blanks()}{(self.blanks() + ',').join(items)}{self.blanks()}]"
            case _:
                return self.object(depth + 1)

    def object(self, depth: int) -> str:
        count = self.random.randrange(5)
        pick = self.random.choices if self.is_odd else self.random.sample
        fields = [
            f"{self.blanks()}{self.string(key)}{self.blanks()}:{self.blanks()}{self.value(depth)}"
            for key in pick(self.KEYS, k=count)
        ]
        return "{" + f"{self.blanks()},".join(fields) + self.blanks() + "}"

    def string(self, text: str) -> str:
        return '"' + "".join(map(self.spelled, text)) + ('\\udc00"' if self.strays() else '"')

    def strays(self) -> bool:
        return self.is_odd and self.random.random() < 0.01

    def spelled(self, c: str) -> str:
        pick = self.random.random()
        if pick < 0.15 or (c in '"\\\n' and pick < 0.5):
            units = c.encode("utf-16-be").hex()
            codes = [units[i : i + 4] for i in range(0, len(units), 4)]
            return "".join("\\u" + (u.upper() if pick < 0.1 else u) for u in codes)
        return {'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(c, c)


def fuzz(count: int, seed: int) -> None:
    """What is accepted, the reference accepts, with the same value, before and after writing."""
    bodies = Bodies(seed)
    seen: Counter[str] = Counter()
    for _ in range(count):
        body = bodies.body()
        began = time.perf_counter()
        try:
            value = read_json(body)
            code = ""
        except Fault as fault:
            value, code = {}, fault.code
        assert time.perf_counter() - began < 1, body
        seen[code] += 1
        try:
            said = Reference(body).read()
        except Refused:
            assert code, body
            continue
        assert not code, body
        # repr: the order of keys, 1 and 1.0 and true, 0.0 and -0.0 are all told apart.
        assert repr(value) == repr(said), body
        written = write_json(value)
        assert repr(json.loads(written)) == repr(value), body
        assert repr(orjson.loads(written)) == repr(value), body
        assert repr(read_json(written)) == repr(value), body
    assert count * 0.2 < seen[""] < count * 0.8, seen
    assert set(seen) == {"", *REFUSED.values()} - {"too_large"}, seen


def test_fuzzed_bodies_are_read_as_the_reference_reads_them() -> None:
    fuzz(3_000, seed=7)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_hundred_thousand_fuzzed_bodies() -> None:
    fuzz(100_000, seed=70)


def work_in(body: bytes) -> int:
    """The work in a valid body, by the definition: marks, and an eighth of other bare bytes."""
    quotes = marks = others = 0
    is_text = is_escaped = False
    for c in body.decode():
        if is_escaped:
            is_escaped = False
        elif is_text and c == "\\":
            is_escaped = True
        elif c == '"':
            quotes += 1
            is_text = not is_text
        elif not is_text:
            marks += c in "[]{},"
            others += c not in "[]{}, \t\r\n"
    return quotes + marks + others // 8


def test_the_bound_on_work_is_exact() -> None:
    bodies = Bodies(11)
    tried = 0
    while tried < 300:
        body = bodies.body() + bodies.blanks().encode()
        if refusal(body) or refusal(b'{"x":%s}' % body):
            continue
        body = b'{"x":%s,"y":%s}' % (body, body)  # more of everything
        work = work_in(body)
        assert refusal(body, most=work) == "", body
        assert refusal(body, most=work - 1) == "too_large", body
        tried += 1


HARD = b"2.4703282292062327208828439643411068618252990130716238221279284125033775e-324"
"""A number just where rounding is decided, so that reading it is as slow as it gets."""

HOSTILE = {
    "objects": b'{"a":[' + b",".join([b"{}"] * 33_000) + b"]}",
    "keys": b"{" + b",".join(b'"%d":1' % i for i in range(30_000)) + b"}",
    "nested": b'{"a":[' + b",".join([b"[" * 48 + b"]" * 48] * 1_020) + b"]}",
    "floats": b'{"a":[' + b",".join([HARD] * 9_000) + b"]}",
    "escapes": b'{"a":"' + b'\\"\\\\\\n' * 1_398_000 + b'"}',
    "pairs": b'{"a":"' + b"\\ud83d\\ude00" * 699_000 + b'"}',
    "wide": b'{"a":"' + b"a" * 8_388_000 + "\U0001f600".encode() + b'"}',
    "blanks": b"{" + b" " * 8_388_000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_body_of_eight_mebibytes_takes_long(name: str) -> None:
    body = HOSTILE[name]
    began = time.perf_counter()
    read_json(body)
    assert time.perf_counter() - began < 1


# --- writing and headers


def test_writing_is_plain() -> None:
    assert write_json({"b": "é\n", "a": [1, 2.0, None, True]}) == (
        '{"b":"é\\n","a":[1,2.0,null,true]}'.encode()
    )


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": 2**64}, {1: "a"}, {"a": object()}])
def test_what_cannot_be_written_is_an_error(value: object) -> None:
    with pytest.raises(TypeError):
        write_json(value)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json ; Charset="UTF-8"',
        "application/json; charset=utf-8;",
        "application/json;",
        " application/json ",
    ],
)
def test_plain_json_passes(kind: str) -> None:
    check_content({"content-type": kind})
    check_content({"content-type": kind, "content-encoding": "Identity"})


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/json",
        "text/plain",
        "application/jsonp",
        "application/json+x",
        "application/vnd.x+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; charset=utf-8; charset=utf-8",
        'application/json; charset="utf-8',
        "application/json; charset='utf-8'",
        "application/json; charset*=utf-8''utf-7",
        "application/json; charset = utf-8",
        "application/json; charset=",
        "application/json; version=1",
        "application/j\u017fon",
        "application/json\n",
        "application/json; charset=utf-8\r\nx: y",
    ],
)
def test_another_type_is_refused(kind: str) -> None:
    with pytest.raises(Fault) as caught:
        check_content({"content-type": kind})
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


def test_no_type_is_refused() -> None:
    with pytest.raises(Fault, match="unsupported_media_type"):
        check_content({})


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "gzip, gzip", "x", ""]
)
def test_an_encoded_body_is_refused(encoding: str) -> None:
    with pytest.raises(Fault) as caught:
        check_content({"content-type": "application/json", "content-encoding": encoding})
    assert (caught.value.status, caught.value.code) == (415, "unsupported_encoding")
