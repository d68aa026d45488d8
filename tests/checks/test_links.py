"""Links: which addresses are found, where they lead, and what their text covers."""

from __future__ import annotations

import pytest

from guardkit.catalog import Finder
from guardkit.checks.live import _links
from guardkit.checks.live._addresses import MOST_CANDIDATES
from guardkit.errors import BindError

from ._around import HOSTILE, Here, found_in, grows_in_step, pinned

OUTSIDE = [
    ("see https://evil.test/x now", "https://evil.test/x"),
    ("http:/evil.test/x", ""),
    ("https:\\\\evil.test\\x", ""),
    ("https:evil.test", ""),
    ("ftp://evil.test/a", ""),
    ("custom://evil.test", ""),
    ("www.evil.test/a", ""),
    ("WWW2.evil.test", ""),
    ("https://northbank.example.evil.test/", ""),
    ("https://northbank.example@evil.test/", ""),
    ("https://user:pw@evil.test:8080/", ""),
    ("https://evil.test\\@northbank.example/", ""),
    ("https://northbank.example\\.evil.test/", ""),
    ("https://evilnorthbank.example/", ""),
    ("https://127.0.0.1/", ""),
    ("https://[::1]/x", ""),
    ("https://2130706433/", ""),
    ("https://%6eorthbank.example/", ""),
    ("https://n%6Frthbank.example/", ""),
    ("https://nоrthbank.example/", ""),
    ("https://northbank.example,x.evil.test/", ""),
    ("https://northbank.example'x.evil.test/", ""),
    ('https://northbank.example".evil.test/', ""),
    ("https://northbank.example。evil.test/", ""),
    ("https://northbank.example，恶意.中国", ""),
    ("https://northbank.example[@evil.test/", ""),
    ("https://northbank.example?@evil.test/", ""),
    ("javascript:alert(1)", ""),
    ("data:text/html,<b>", ""),
    ("mailto:a@evil.test?subject=x", ""),
    ("mailto:a@northbank.example?bcc=b@evil.test", ""),
    ("https://northbank.example/r?u=https://evil.test/", ""),
    ("https://northbank.example/r?u=https%3A%2F%2Fevil.test%2F", ""),
    ("https://northbank.example/r?u=https%253A%252F%252Fevil.test", ""),
    ("https://northbank.example/r?u=//evil.test", ""),
    ("https://northbank.example/r?u=www.evil.test", ""),
    ("https://northbank.example/web/https:/evil.test", ""),
    ("https://northbank.example/#https://evil.test", ""),
    ("[x](//evil.test/a)", "//evil.test/a"),
    ("![x](//evil.test/a?d=SECRET)", "//evil.test/a?d=SECRET"),
    ("![x](/\\evil.test/a)", "/\\evil.test/a"),
    ("[x](\\\\evil.test)", "\\\\evil.test"),
    ("[x](<//evil.test/a b>)", "//evil.test/a b"),
    ("[x](evil.test/collect?d=1)", "evil.test/collect?d=1"),
    ("[x](java&#115;cript:alert)", "java&#115;cript:alert"),
    ("[x](https&colon;//evil.test)", ""),
    ("[x](&#104;ttps://evil.test)", ""),
    ("[x](foo:bar)", "foo:bar"),
    ("[x]: //evil.test/a", "//evil.test/a"),
    ("[x]: <//evil.test/a>", "//evil.test/a"),
    ("<img src=//evil.test/a>", "//evil.test/a"),
    ('<img src="//evil.test/a">', "//evil.test/a"),
    ("<img alt=\">\" src='//evil.test/a'>", "//evil.test/a"),
    ('<img srcset="/a.png 1x, //evil.test/a 2x">', "/a.png 1x, //evil.test/a 2x"),
    ('<form action = "//evil.test">', ""),
    ('<a href="java\tscript:alert(1)">', ""),
    ('<meta http-equiv=refresh content="0; url=//evil.test/">', ""),
    ('<p style="background: url(//evil.test/a)">', "//evil.test/a"),
    ('<style>@import "//evil.test/a";</style>', "//evil.test/a"),
    ('<a href="&sol;&sol;evil.test">', ""),
    ("<https://evil.test/a>", "https://evil.test/a"),
    ("(https://evil.test/a_(b)).", "https://evil.test/a_(b)"),
    ("[https://northbank.example](https://evil.test/a)", "https://evil.test/a"),
    ("请访问https://evil.test/a，谢谢", ""),
    ("//x <a href='/ok' ping=\"/a //evil.test/p\">", ""),
    ("file:///etc/passwd", ""),
    ("https://", ""),
    ("https://northbank.example<https://evil.test/>", "https://evil.test/"),
]
"""A text, and the address in it that leads outside; empty where any span will do."""

FINE = [
    "nothing at all",
    "https://northbank.example",
    "https://northbank.example/a?b=c#d",
    "HTTPS://NorthBank.Example:8443/a",
    "https://northbank.example./",
    "https://user@northbank.example/",
    "https://help.northbank.example/a",
    "(see https://northbank.example).",
    "**https://northbank.example**",
    '"https://northbank.example","b":"x.y"',
    "'https://northbank.example','x'",
    "https://northbank.example,https://northbank.example/x",
    "[https://northbank.example](https://northbank.example/x)",
    '[a](https://northbank.example/a_(b)_c "title") and [b](/local/path)',
    "[c](#part) [d](file.md)",
    '[x]: https://northbank.example/a "t"',
    "[Alice]: yes, of course",
    "[12:30]: hello: you",
    "请访问https://northbank.example，谢谢",
    "<a href=\"https://northbank.example/a\">x</a> <img src='/a.png'>",
    "<a href=/local>x</a>",
    "note: the data: is here, and http: is a scheme; std::vector, C:\\path a::b",
    "mail me at a@evil.test, javascript is a language",
    "mailto:help@northbank.example?subject=Hello",
    '{"url":"https://northbank.example\\/a"}',
    "https://northbank.example/r?u=https%3A%2F%2Fhelp.northbank.example%2F",
    "https://northbank.example/wiki/Foo_\\(bar\\)",
    "https://northbank.example\\nNext line",
    'src = "//evil.test"',
    "https://northbank.example…",
    "https://northbank.example&quot;",
    "| https://northbank.example | x |",
    "https://northbank.example|x.y",
    "3.5 www. is short; see :// and // comments",
]
"""Texts in which nothing leads outside."""


@pytest.fixture(scope="module")
def finder() -> Finder:
    return _links.bind({"allow": ("Northbank.example", "*.northbank.example")}, Here())


@pytest.mark.parametrize(("text", "address"), OUTSIDE)
def test_an_address_that_leads_outside_is_found(finder: Finder, text: str, address: str) -> None:
    found = found_in(finder, text)
    assert found
    if address:
        assert found == [address]


@pytest.mark.parametrize("text", FINE)
def test_an_address_that_stays_inside_is_not(finder: Finder, text: str) -> None:
    assert found_in(finder, text) == []


@pytest.mark.parametrize("text", [text for text, _ in OUTSIDE])
def test_what_stands_around_an_address_hides_nothing(finder: Finder, text: str) -> None:
    around = f"Before, and https://northbank.example/a (fine).\n\n{text}\n\nAnd [after](/it)."
    assert found_in(finder, around)


def test_every_address_of_a_text_is_told_apart(finder: Finder) -> None:
    text = "https://a.test/1, <https://b.test/2> and ![x](//c.test/3) but https://northbank.example"
    assert found_in(finder, text) == ["https://a.test/1", "https://b.test/2", "//c.test/3"]


@pytest.mark.parametrize(
    "opening",
    ["![x](//evil.test/", "![x](<//evil.test/", "<img src=//evil.test/", '<img src="//evil.test/'],
)
def test_a_long_address_is_one_span(finder: Finder, opening: str) -> None:
    (found,) = found_in(finder, f"{opening}{'a' * 3_000} and more")
    assert found.startswith("//evil.test/a")
    assert len(found) >= 3_000


def test_without_a_list_every_link_is_outside() -> None:
    assert found_in(_links.bind({}, Here()), "https://northbank.example") != []


def test_a_star_does_not_cover_the_host_itself() -> None:
    finder = _links.bind({"allow": ("*.northbank.example",)}, Here())
    assert found_in(finder, "https://northbank.example/") == ["https://northbank.example/"]
    assert found_in(finder, "https://a.b.northbank.example/") == []


def test_an_international_host_is_allowed_in_either_spelling() -> None:
    finder = _links.bind({"allow": ("bücher.example",)}, Here())
    assert found_in(finder, "https://BÜCHER.example/ https://xn--bcher-kva.example/") == []
    assert found_in(finder, "https://bucher.example/") == ["https://bucher.example/"]


def test_an_address_of_numbers_can_be_allowed() -> None:
    finder = _links.bind({"allow": ("10.0.0.1",)}, Here())
    assert found_in(finder, "http://10.0.0.1:8080/x") == []
    assert found_in(finder, "http://10.0.0.11/") != []


def test_hosts_may_stand_in_a_file() -> None:
    content = b"# ours\nnorthbank.example\n*.northbank.example  # and below\n\n"
    config = {"file": pinned("hosts.txt", content)}
    finder = _links.bind(config, Here({"hosts.txt": content}))
    assert found_in(finder, "https://northbank.example https://a.northbank.example") == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"fine.example\nnot a host\n", "line 2 of the file `hosts.txt` is not a host"),
        (b"\xff", "the file `hosts.txt` is not UTF-8 text"),
    ],
)
def test_a_bad_file_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BindError) as caught:
        _links.bind({"file": pinned("hosts.txt", content)}, Here({"hosts.txt": content}))
    assert caught.value.problems == (problem,)


def test_a_file_that_changed_is_refused() -> None:
    config = {"file": pinned("hosts.txt", b"a.example")}
    with pytest.raises(BindError, match="has changed"):
        _links.bind(config, Here({"hosts.txt": b"b.example"}))


def test_loose_text_is_not_read(finder: Finder) -> None:
    assert finder.needles("loose") == ()


def test_a_text_with_too_many_addresses_is_covered_whole(finder: Finder) -> None:
    text = "https://northbank.example " * (MOST_CANDIDATES + 5)
    (rest,) = found_in(finder, text)
    assert text.endswith(rest)
    assert len(rest) < 200


WORST = (
    *HOSTILE, "https://", "https://northbank.example/", "](", "](//a", "](((((", "src=", "src='",
    "src='src=\"", "http:", "www.", "]:", "url(", "<a href=x ", "data:;a", "](\\", "[x](<",
    "mailto:a@northbank.example,", "https://northbank.example/?u=%25", "<a href=&#104;",
    "https://northbank.example/?https://northbank.example&",
)  # fmt: skip


@pytest.mark.parametrize("piece", WORST)
def test_time_grows_with_the_text(finder: Finder, piece: str) -> None:
    assert grows_in_step(lambda text: finder.find(f"<a {text}", (0, 4, 5), "plain"), piece, 2_000)


@pytest.mark.full
@pytest.mark.parametrize("piece", WORST)
def test_a_megabyte_of_the_worst(finder: Finder, piece: str) -> None:
    assert grows_in_step(lambda text: finder.find(f"<a {text}", (0, 4, 5), "plain"), piece, 250_000)
