"""Hosts, addresses, URLs and domain patterns: this decides whether mail may leave."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardkit._util.values import (
    domain_matches,
    host_of,
    is_domain_pattern,
    is_email,
    is_url,
)

any_text = st.text(alphabet=st.characters(exclude_categories=()))
pointed_text = st.lists(
    st.sampled_from([*'ab1.-_@:/\\?#[]<>"%*~ \t\0ßſıİКé例。．｡＠／', "xn--", "://", "\ud800"])
).map("".join)
address_like = st.builds("".join, st.lists(st.one_of(pointed_text, st.text()), max_size=4))

READ = [
    # domains
    ("example.com", "example.com"),
    ("EXAMPLE.Com", "example.com"),
    ("example.com.", "example.com"),
    ("localhost", "localhost"),
    ("_dmarc.example.com", "_dmarc.example.com"),
    ("a-b.example", "a-b.example"),
    ("r3---sn-4g5.example", "r3---sn-4g5.example"),
    ("123.example", "123.example"),
    ("a" * 63 + ".example", "a" * 63 + ".example"),
    # international names
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("例え.example", "xn--r8jz45g.example"),
    ("例え。example", "xn--r8jz45g.example"),
    ("good．example", "good.example"),
    ("good｡example｡", "good.example"),
    ("ｇｏｏｄ.example", "good.example"),
    ("ℰvil.example", "evil.example"),
    ("\u212aelvin.example", "kelvin.example"),
    ("пример.example", "xn--e1afmkfd.example"),
    ("exаmple.com", "xn--exmple-4nf.com"),  # a Cyrillic letter is another host
    ("xn--strae-oqa.example", "xn--strae-oqa.example"),  # sharp s, already spelt out
    ("ᾳ.example", "xn--mxaq.example"),
    ("मराठी.example", "xn--d2b1ag0dl.example"),
    # addresses of machines
    ("192.0.2.1", "192.0.2.1"),
    ("192.0.2.1.", "192.0.2.1"),
    ("１９２.0.2.1", "192.0.2.1"),
    ("::1", "::1"),
    ("[2001:DB8:0::1]", "2001:db8::1"),
    ("https://[2001:db8::1]:8443/x", "2001:db8::1"),
    ("http://[::ffff:192.0.2.1]/", "192.0.2.1"),
    # e-mail
    ("a@b.example", "b.example"),
    ("a.b+c@B.Example", "b.example"),
    ("o'brien@b.example", "b.example"),
    ("jörg@bücher.example", "xn--bcher-kva.example"),
    ("root@localhost", "localhost"),
    ("<a@b.example>", "b.example"),
    ("Ann <a@b.example>", "b.example"),
    ("Ann<a@b.example>", "b.example"),
    ("John Q. Public <a@b.example>", "b.example"),
    ('"Doe, John" <a@b.example>', "b.example"),
    ("Jörg 田中（営業） <a@b.example>", "b.example"),
    # URLs
    ("https://example.com", "example.com"),
    ("HTTPS://Example.COM:443/A?b#c", "example.com"),
    ("https://example.com:/", "example.com"),
    ("https://example.com./", "example.com"),
    ("https://example.com?x=1", "example.com"),
    ("https://example.com/?mail=a@evil.example", "example.com"),
    ("https://user:pw@example.com/", "example.com"),
    ("https://good.example@evil.example", "evil.example"),
    ("https://good.example:443@evil.example/", "evil.example"),
    ("https://good.example%2f@evil.example/", "evil.example"),
    ("https://good.example&x=@evil.example/", "evil.example"),
    ("https://good.example.evil.example/", "good.example.evil.example"),
    ("https://evil.example/#@good.example", "evil.example"),
    ("https://evil.example/@good.example", "evil.example"),
    ("https://evil.example/https://good.example", "evil.example"),
    ("https://bücher.example/ü", "xn--bcher-kva.example"),
    ("https://good。evil.example/", "good.evil.example"),
    ("git+ssh://git@example.com/x.git", "example.com"),
    ("ftp://example.com:65535/", "example.com"),
]

REFUSED = [
    # shape
    "",
    ".",
    "..",
    ".example.com",
    "example..com",
    "example.com..",
    "exa mple.com",
    " example.com",
    "example.com ",
    "example.com\n",
    "example.com\0",
    "exam\tple.com",
    "-a.example",
    "a-.example",
    "a.example/",
    "a.example:8080",
    "a.example,b.example",
    "a.example;b.example",
    "*.example.com",
    "good.example\\evil.example",
    "good.example%2eevil.example",
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
    "ü" * 70 + ".example",
    "a" * 100_000,
    # names that programs read differently
    "straße.example",
    "STRAẞE.example",
    "ς.example",
    "𝛓.example",
    "ex\u00adample.com",
    "ex\u200bample.com",
    "ex\u200dample.com",
    "ex\ufe0fample.com",
    "ex\u034fample.com",
    "\u03b1\u0323\u0345.example",
    "\u1ff3\u0301.example",  # the order of folding and composing decides
    "xn---b-htk.example",
    "xn----4nh.example",
    "\u3164.example",
    "\u202egood.example",
    "\u0301a.example",
    "i❤.example",
    "⒈example.com",
    "good․example",  # one dot leader
    "good…example",
    "evil℀.example",
    "evil.example／good.example",
    "a\ud800.example",
    "\ue000.example",
    # fake A-labels
    "xn--.example",
    "xn--example-.example",
    "xn--a.example",
    "xn--\u00e9.example",
    "xn--zz999999999.example",
    "xn--" + "9" * 59 + ".example",
    # numbers that resolvers read as addresses
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0x7f000001",
    "0177.0.0.1",
    "01.2.3.4",
    "256.0.0.1",
    "1.2.3.4.5",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.1/",
    "example.0x",
    # IPv6
    "[::1",
    "::1]",
    "[]",
    "[example.com]",
    "[192.0.2.1]",
    "fe80::1%eth0",
    "http://[fe80::1%25eth0]/",
    "http://[::1]evil.example/",
    "http://[::1].evil.example/",
    "http://[[::1]]/",
    "http://::1/",
    "12345::1::2",
    # e-mail
    "@",
    "a@",
    "@b.example",
    "a@@b.example",
    "a@good.example@evil.example",
    "a@evil.example,b@good.example",
    "a@evil.example, b@good.example",
    "a@evil.example;b@good.example",
    "a@evil.example b@good.example",
    "a @b.example",
    "a@ b.example",
    '"a@evil.example"@good.example',
    '"a b"@good.example',
    "a@good.example(evil.example)",
    "a@(evil.example)good.example",
    "user%evil.example@good.example",
    "evil.example!user@good.example",
    "evil.example/@good.example",
    "evil.example?@good.example",
    "evil.example#@good.example",
    "evil.example:80@good.example",
    "x＠evil.example@good.example",
    "x﹫evil.example@good.example",
    "a..b@b.example",
    ".a@b.example",
    "a" * 65 + "@b.example",
    "a@b.example\r\nBcc: x@evil.example",
    "mailto:a@b.example",
    "mailto:a@good.example?cc=x@evil.example",
    "mailto://a@good.example",
    "a@[192.0.2.1]",
    "a@[IPv6:::1]",
    "a@::1",
    "a\u200b@b.example",
    # display names
    "Ann <a@b.example",
    "Ann a@b.example>",
    "Ann <a@b.example> x",
    "Ann <a@b.example> <x@evil.example>",
    "Ann <<a@b.example>>",
    "Ann <a@b.example>, x@evil.example",
    "x@evil.example, Ann <a@b.example>",
    "x@evil.example <a@good.example>",
    '"x@evil.example, " <a@good.example>',
    '"x＠evil.example" <a@good.example>',
    '"a\\" <x@evil.example>" <a@good.example>',
    "=?utf-8?q?x=40evil.example=2C?= <a@good.example>",
    "Ann (x) <a@b.example>",
    "group: a@b.example;",
    "group: <a@b.example>",
    "Ann <@evil.example:a@good.example>",
    "Ann <>",
    "<https://b.example>",
    # URLs
    "https://",
    "https:///evil.example/",
    "https:/evil.example/",
    "https:evil.example",
    "//evil.example/",
    "://evil.example",
    "1http://evil.example",
    "https://@",
    "https://good.example\\@evil.example/",
    "https://evil.example\\.good.example/",
    "https:\\\\evil.example/",
    "https://evil.example/\\x",
    "https://a@good.example@evil.example/",
    "https://good.example?@evil.example/",
    "https://good.example#@evil.example/",
    "https://good.example／@evil.example/",
    "https://ü@evil.example/",
    "https://[::1]@evil.example/",
    "https://exa%6dple.com/",
    "https://evil.example%00.good.example/",
    "https://evil.example%20.good.example/",
    "https://evil.example,good.example/",
    "https://evil.example;good.example/",
    "https://evil.example|good.example/",
    "https://evil.example:80:80/",
    "https://evil.example:65536/",
    "https://evil.example:-1/",
    "https://evil.example:8o/",
    "https://evil.example:８０/",
    "https://evil.example:000080/",
    "https://ev\til.example/",
    "https://evil.example/\n",
    " https://evil.example/",
    "https://good.example/ https://evil.example/",
    "see https://evil.example/",
    "javascript:alert(1)",
    "javascript://good.example/%0aalert(1)",
    "JavaScript://good.example/%0aalert(1)",
    "data://good.example/,x",
    "data:text/html,x",
    "blob:https://evil.example/x",
    "view-source:https://evil.example/",
    "file:///etc/passwd",
    "git@example.com:org/repo.git",
]


@pytest.mark.parametrize(("text", "host"), READ)
def test_a_host_is_read(text: str, host: str) -> None:
    assert host_of(text) == host


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:40]))
def test_a_doubtful_host_is_refused(text: str) -> None:
    assert host_of(text) is None
    assert not is_email(text)
    assert not is_url(text)


@given(st.one_of(any_text, pointed_text, address_like))
@example("İ.example")
@example("ſ.example")
@example("Ꭰ.example")
@example("ꭰ.example")
def test_a_host_is_plain_and_stable(text: str) -> None:
    for spelling in (text, f"a@{text}", f"https://{text}/", f"Ann <a@{text}>"):
        host = host_of(spelling)
        if host is not None:
            assert re.fullmatch(r"[a-z0-9._:-]+", host)
            assert host_of(host) == host


@given(st.one_of(any_text, pointed_text))
def test_one_host_whatever_carries_it(text: str) -> None:
    host = host_of(text)
    if host is not None and not set("@<:[/") & set(text):
        assert host_of(f"https://u:p@{text}:1/x@y") == host
        assert host_of(f"a@{text}") == host
        assert host_of(f'"B, C" <a@{text}>') == host
        assert not text.isascii() or host_of(text.upper()) == host


@given(any_text, any_text)
def test_any_text_gets_an_answer(a: str, b: str) -> None:
    domain_matches(a, b)
    for claim in (is_email, is_url, is_domain_pattern):
        claim(a)


@pytest.mark.parametrize("text", ["a@b.example", "a+b@bücher.example", "root@localhost"])
def test_emails(text: str) -> None:
    assert is_email(text)
    assert not is_url(text)
    assert not is_domain_pattern(text)


@pytest.mark.parametrize(
    "text", ["", "b.example", "Ann <a@b.example>", "<a@b.example>", "https://a@b.example/"]
)
def test_not_emails(text: str) -> None:
    assert not is_email(text)


@pytest.mark.parametrize("text", ["https://a.example", "ftp://u@a.example/x", "http://[::1]/"])
def test_urls(text: str) -> None:
    assert is_url(text)
    assert not is_email(text)
    assert not is_domain_pattern(text)


@pytest.mark.parametrize("text", ["", "a.example", "//a.example", "/a", "a@b.example"])
def test_not_urls(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "example.com",
        "*.example.com",
        "*.internal",
        "localhost",
        "*.bücher.example",
        "192.0.2.1",
        "::1",
    ],
)
def test_domain_patterns(text: str) -> None:
    assert is_domain_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "**.example.com",
        "*.*.example.com",
        "*example.com",
        "a.*.example",
        "example.*",
        "*.192.0.2.1",
        "*.::1",
        "*.[::1]",
        "*.com:80",
        "a@b.example",
        "*.a@b.example",
        "https://a.example",
        "*.https://a.example",
        "a.example/x",
        "a.example\n",
        "*.a.example\n",
        "Ann <a@b.example>",
    ],
)
def test_not_domain_patterns(text: str) -> None:
    assert not is_domain_pattern(text)
    assert not domain_matches("example.com", text)
    assert not domain_matches("a.example", text)


@pytest.mark.parametrize(
    ("host", "pattern", "matches"),
    [
        ("example.com", "example.com", True),
        ("EXAMPLE.com.", "example.COM", True),
        ("example.com", "example.com.", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "BÜCHER.example", True),
        ("a.example.com", "*.example.com", True),
        ("a.b.example.com", "*.example.com", True),
        ("a.bücher.example", "*.xn--bcher-kva.example", True),
        ("example.com", "*.example.com", False),
        ("badexample.com", "*.example.com", False),
        ("badexample.com", "example.com", False),
        ("a.example.com", "example.com", False),
        ("example.com.evil.example", "example.com", False),
        ("example.com.evil.example", "*.example.com", False),
        ("example.com", "example.org", False),
        ("exаmple.com", "example.com", False),
        ("::1", "::1", True),
        ("[::1]", "0:0::1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "*.2.1", False),
        ("", "example.com", False),
        ("a@example.com", "example.com", False),
        ("https://example.com", "example.com", False),
        ("x example.com", "*.example.com", False),
        (".example.com", "*.example.com", False),
        ("a..example.com", "*.example.com", False),
        ("a\0.example.com", "*.example.com", False),
    ],
)
def test_domains_match(host: str, pattern: str, matches: bool) -> None:
    assert domain_matches(host, pattern) is matches


@given(pointed_text)
def test_an_apex_and_its_sub_domains_are_apart(text: str) -> None:
    assert not (domain_matches(text, "good.example") and domain_matches(text, "*.good.example"))
