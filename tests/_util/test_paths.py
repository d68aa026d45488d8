"""Paths, by their spelling alone."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit._util.values import is_path, path_within

any_text = st.text(alphabet=st.characters(exclude_categories=()))
plain_paths = st.text(alphabet="ab./", min_size=1, max_size=12)

MALFORMED = [
    "",
    "a\0b",
    "a\nb",
    "a\\b",
    "..\\..\\etc",
    "/srv\\..\\etc",
    "C:/x",
    "c:x",
    "~/x",
    "~root/x",
    "https://a.example/x",
    "a/%2e%2e/b",
    "a/%2E./b",
    "a%2fb",
    "a%5Cb",
    "a%252e",
    "a%00",
    "a／b",
    "a/．．/b",
    "a/‥/b",
    "a＼b",
    "a/.../b",
    "a/.. /b",
    "a/ /b",
    "a/\u2028",
    "a/\ud800",
]


@pytest.mark.parametrize("text", MALFORMED, ids=ascii)
def test_doubtful_paths_are_refused(text: str) -> None:
    assert not is_path(text)
    assert not path_within(text, text)
    assert not path_within(text, ".")
    assert not path_within(text, "/")
    assert not path_within("/a", text)
    assert not path_within("a", text)


@pytest.mark.parametrize(
    "text",
    ["/", ".", "..", "a", "/srv/data/x.csv", "a b/ü.txt", "50%.txt", "ab:c/d.e", ".env", "a~"],
)
def test_paths(text: str) -> None:
    assert is_path(text)
    assert path_within(text, text)


@pytest.mark.parametrize(
    ("path", "folder", "within"),
    [
        ("/srv/data", "/srv/data", True),
        ("/srv/data/", "/srv/data", True),
        ("/srv/data/x", "/srv/data", True),
        ("/srv/data/x", "/srv/data/", True),
        ("/srv//data/./x", "/srv/data", True),
        ("//srv/data/x", "/srv/data", True),
        ("/srv/data/../data/x", "/srv/data", True),
        ("/srv/x/../data/x", "/srv/data", True),
        ("/../srv/data/x", "/srv/data", True),
        ("/etc", "/", True),
        ("/srv/database", "/srv/data", False),
        ("/srv", "/srv/data", False),
        ("/srv/data/..", "/srv/data", False),
        ("/srv/data/../../etc/passwd", "/srv/data", False),
        ("/srv/data/x/../../secret", "/srv/data", False),
        ("/Srv/data/x", "/srv/data", False),
        ("srv/data/x", "/srv/data", False),
        ("/srv/data/x", "srv/data", False),
        ("/a", ".", False),
        ("a", "/", False),
        ("a/b", "a", True),
        ("a/b", "./a", True),
        ("a", ".", True),
        ("a/..", ".", True),
        ("..", ".", False),
        ("../a", ".", False),
        ("a/../../b", ".", False),
        ("../a/b", "../a", True),
        ("../../a/b", "../a", False),
        ("../a/../b", "../a", False),
        ("a", "..", True),
        ("../a", "..", True),
        ("../..", "..", False),
        ("../../a", "..", False),
        ("a", "../a", False),
    ],
)
def test_within(path: str, folder: str, within: bool) -> None:
    assert path_within(path, folder) is within


@given(plain_paths, plain_paths)
def test_within_agrees_with_the_platform(path: str, folder: str) -> None:
    def absolute(text: str) -> str:
        return posixpath.normpath("/" + text).replace("//", "/")

    if is_path("/" + path) and is_path("/" + folder):
        top = absolute(folder)
        expected = posixpath.commonpath([top, absolute(path)]) == top
        assert path_within("/" + path, "/" + folder) is expected


@given(any_text, any_text)
def test_any_text_gets_an_answer(a: str, b: str) -> None:
    is_path(a)
    if path_within(a, b):
        assert is_path(a)
        assert is_path(b)
