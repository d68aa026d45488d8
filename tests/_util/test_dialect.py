"""What RE2 finds, the tree allows; what RE2 reads as it stands is no operator in the tree."""

from __future__ import annotations

import string
from importlib import import_module
from typing import Any

import pytest
import re2

from guardkit._util.dialect import Shape, shape_of

compiler: Any = import_module("re._compiler")  # makes a pattern of a tree

LONGEST = {
    r"ab{,3}c": "ab{,3}c",  # a plain brace in RE2, a repetition in Python
    r"abc{2": "abc{2",
    r"a{2,5}bc": "aaaaabc",
    r"(?P<name>abc)(?<other>def)": "abcdef",
    r"(?P<a>abc)(?P<a>def)": "abcdef",
    r"abc(?i)def(?-i:ghi)": "abcdefghi",
    r"(?U)abc{3}": "abccc",
    r"\Qa+b*c\E{2}": "a+b*cc",
    r"\Qa+b": "a+b",
    r"\Q\E[a-c]": "c",
    r"\x{41}\x42[\x{61}-c]": "ABb",
    r"[\d-z]abc": "-abc",
    r"[[:alpha:]-]abc": "-abc",
    r"[[:^digit:]\pL-]{2}": "é-",
    r"[]abc]{3}": "]ab",
    r"[^]a[]bc\z": "dbc",
    r"[a[]b]{2}": "[b]]",
    r"\p{Greek}\pN{2}\P{^Latin}": "α12x",
}


def tree_of(source: str) -> Shape:
    shape = shape_of(source)
    assert shape is not None
    return shape


@pytest.mark.parametrize("source", LONGEST)
def test_the_longest_match_is_as_long_in_the_tree(source: str) -> None:
    longest, tree = LONGEST[source], tree_of(source).tree
    assert re2.compile(source).fullmatch(longest)
    assert compiler.compile(tree).fullmatch(longest)
    assert tree.getwidth()[1] == len(longest)


CLASSES = sorted(
    {f"[[:{name}:]]" for name in ("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph")}
    | {f"[[:{name}:]]" for name in ("lower", "print", "punct", "space", "upper", "word", "xdigit")}
    | {r"[^[:alpha:]_]", r"[\d-z]", r"[\w-]", r"[]-a]", r"[^]-]", r"[a\x{2d}z]", r"[[-^]"}
)


@pytest.mark.parametrize("source", CLASSES)
def test_a_class_of_ascii_has_the_same_characters(source: str) -> None:
    program, shape = re2.compile(source), tree_of(source)
    in_python = compiler.compile(shape.tree)
    assert shape.is_exact
    for char in map(chr, range(128)):
        assert bool(program.fullmatch(char)) == bool(in_python.fullmatch(char)), char


@pytest.mark.parametrize("source", [r"\pL", r"\P{Greek}", r"[\pN_]", r"[^\pN]", r"[[:^alpha:]]"])
def test_a_class_the_library_has_not_is_any_character_and_says_so(source: str) -> None:
    shape = tree_of(source)
    assert not shape.is_exact
    assert shape.tree.getwidth() == (1, 1)
    assert all(compiler.compile(shape.tree).fullmatch(char) for char in "aé4α\n")


@pytest.mark.parametrize("char", string.punctuation)
def test_a_character_after_a_backslash_stands_for_itself(char: str) -> None:
    for source in (f"\\{char}", f"[\\{char}]", rf"\Q{char}\E"):
        assert re2.compile(source).fullmatch(char)
        assert compiler.compile(tree_of(source).tree).fullmatch(char)


@pytest.mark.parametrize("source", ["(", "a{1000000000000}", "(" * 5_000 + ")" * 5_000])
def test_what_cannot_be_read_has_no_shape(source: str) -> None:
    assert shape_of(source) is None
