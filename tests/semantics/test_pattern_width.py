"""The longest match of a pattern, in RE2's own dialect: a stream holds back that much."""

from __future__ import annotations

import pytest
import re2

from guardkit.guard import compile_text

POLICY = """guardkit 1
policy p
check found = pattern {{ match /{}/ }}
rule r {{ tier safety  on input  when found  then block "No." }}
"""

UNBOUNDED = -1


def width_of(pattern: str) -> object:
    policy = compile_text(POLICY.format(pattern)).policy
    assert policy is not None
    (check,) = policy.checks
    return check.get("width")


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        (r"ab{,3}c", "ab{,3}c"),  # a plain brace in RE2, a repetition in Python
        (r"abc{2", "abc{2"),
        (r"abc{2,}|xyz", None),
        (r"a{2,5}bc", "aaaaabc"),
        (r"(?P<name>abc)(?<other>def)", "abcdef"),
        (r"(?P<a>abc)(?P<a>def)", "abcdef"),
        (r"abc(?i)def(?-i:ghi)", "abcDEFghi"),
        (r"(?U)abc{3}", "abccc"),
        (r"\Qa+b*c\E{2}", "a+b*cc"),
        (r"\Qa+b", "a+b"),
        (r"\x{41}\x42[\x{61}-c]", "ABb"),
        (r"[\d-z]abc", "-abc"),
        (r"[[:alpha:]-]abc", "-abc"),
        (r"[]abc]{3}", "]ab"),
        (r"[^]a[]bc\z", "dbc"),
        (r"[a[]b]{2}", "[b]]"),
        (r"\p{Greek}\pN{2}\P{^Latin}", "α12x"),
        (r"\w+@northbank", None),
    ],
)
def test_a_width_is_that_of_the_longest_match(pattern: str, longest: str | None) -> None:
    if longest is None:
        assert width_of(pattern) == UNBOUNDED
        return
    match = re2.search(pattern, longest)
    assert match
    assert match.group() == longest
    assert width_of(pattern) == len(longest)
