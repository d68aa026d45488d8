"""Frames, line by line: these expected texts are what a person sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import dedent

import pytest

from guardkit.diagnostics import Diagnostic, Edit, Fix, Label, Place, Source, Span, diagnose, render

Find = Callable[..., Place]

CHAT = Source(
    "policies/chat.guard",
    dedent("""\
        guardkit 1
        policy chat

        check cards: patern {
          match /[0-9]{16}/
        }

        rule no_cards on output
          when cards and
            not exempt
          and other
          block "no"
        """),
)


def frame(*diagnostics: Diagnostic, width: int = 80, ascii: bool = False) -> str:
    """The full text without its summary."""
    text = render(diagnostics, "full", width=width, ascii=ascii)
    return "\n" + text.rsplit("\n\n", 1)[0] + "\n"


def test_caret_note_label_help_and_fix(find: Find) -> None:
    found = diagnose(
        "unknown-kind",
        find(CHAT, "patern"),
        "no check kind is called `patern`",
        note="not a kind of check",
        labels=[Label(find(CHAT, "cards"), "of this check")],
        help="did you mean `pattern`?",
        fix=Fix("write `pattern`", (Edit(find(CHAT, "patern"), "pattern"),)),
    )
    assert render([found], "full") == dedent("""\
        error[GK204]: no check kind is called `patern`
          --> policies/chat.guard:4:14
           │
         4 │ check cards: patern {
           │       -----  ^^^^^^ not a kind of check
           │       |
           │       of this check
           │
           = help: did you mean `pattern`?
           = fix: write `pattern`
         4 - check cards: patern {
         4 + check cards: pattern {

        1 error in 1 file
        """)


def test_labels_near_far_and_in_another_file(find: Find) -> None:
    text = "check a: pattern\n" * 3 + "# filler\n" * 120 + "check b: pattern\n"
    source = Source("a.guard", text)
    other = Source("lib/b.guard", "module lib\ncheck b: pattern\n")
    found = diagnose(
        "duplicate-name",
        find(source, "b:"),
        "two checks are called `b`",
        labels=[
            Label(find(source, "a", 0), "far away"),
            Label(find(source, "filler", 118), "near"),
            Label(find(other, "check b"), "the first one"),
            Label(find(source, "a", 4), "near the far one"),
        ],
    )
    assert frame(found) == dedent("""
        error[GK208]: two checks are called `b`
           --> a.guard:124:7
            │
        122 │ # filler
            │   ------ near
        123 │ # filler
        124 │ check b: pattern
            │       ^^
            │
           ::: a.guard:1:7
            │
          1 │ check a: pattern
            │       - far away
          2 │ check a: pattern
          3 │ check a: pattern
            │       - near the far one
            │
           ::: lib/b.guard:2:1
            │
          2 │ check b: pattern
            │ ------- the first one
        """)


def test_multi_line_span_from_the_first_word(find: Find) -> None:
    span = Span(find(CHAT, "rule").span.start, find(CHAT, '"no"').span.end)
    found = diagnose("dead-rule", Place(CHAT, span), "it can never fire", note="never")
    assert frame(found) == dedent("""
        warning[GK401]: it can never fire
          --> policies/chat.guard:8:1
           │
         8 │ ╭ rule no_cards on output
        ...  │
        12 │ │   block "no"
           │ ╰────────────^ never
        """)


def test_multi_line_span_from_inside_a_line_with_a_label_in_the_middle(find: Find) -> None:
    span = Span(find(CHAT, "cards and").span.start, find(CHAT, "other").span.end)
    label = Label(find(CHAT, "exempt"), "this")
    found = diagnose("dead-rule", Place(CHAT, span), "no", note="never", labels=[label])
    assert frame(found) == dedent("""
        warning[GK401]: no
          --> policies/chat.guard:9:8
           │
         9 │     when cards and
           │ ╭────────^
        10 │ │     not exempt
           │ │         ------ this
        11 │ │   and other
           │ ╰───────────^ never
        """)


def test_multi_line_span_in_ascii(find: Find) -> None:
    whole = Span(find(CHAT, "rule").span.start, find(CHAT, '"no"').span.end)
    part = Span(find(CHAT, "cards and").span.start, find(CHAT, "other").span.end)
    found = [
        diagnose("dead-rule", Place(CHAT, whole), "no", note="never"),
        diagnose("dead-rule", Place(CHAT, part), "no"),
    ]
    assert frame(*found, ascii=True) == dedent("""
        warning[GK401]: no
          --> policies/chat.guard:8:1
           |
         8 | / rule no_cards on output
        ...  |
        12 | |   block "no"
           | |____________^ never

        warning[GK401]: no
          --> policies/chat.guard:9:8
           |
         9 |     when cards and
           |  ________^
        10 | |     not exempt
        11 | |   and other
           | |___________^
        """)


def test_a_span_over_thousands_of_lines_stays_short() -> None:
    source = Source("a.guard", "rule x\n" * 5000)
    found = diagnose("dead-rule", Place(source, Span(0, len(source.text))), "no")
    assert len(render([found], "full").splitlines()) == 9


@pytest.mark.parametrize(
    ("line", "word", "shown", "carets"),
    [
        ("\tblock it", "it", "    block it", "          ^^"),
        ("a\tb\tc", "\tb", "a   b   c", " ^^^^"),
        ("\t\t", "\t\t", "", "^^^^^^^^"),
        ("日本語 x", "本", "日本語 x", "  ^^"),
        ("日本語 x", "x", "日本語 x", "       ^"),
        ("日\tx", "x", "日  x", "    ^"),
        ("cafe\u0301 x", "x", "cafe\u0301 x", "     ^"),
        ("cafe\u0301 x", "\u0301", "cafe\u0301 x", "   ^"),
        ("cafe\u0301 x", "e\u0301", "cafe\u0301 x", "   ^"),
        ("a\u202eb x", "\u202e", r"a\u{202e}b x", " ^^^^^^^^"),
        ("a\u202eb x", "x", r"a\u{202e}b x", "           ^"),
        ("a\x1b[2Jb", "b", r"a\u{1b}[2Jb", "          ^"),
        ("ends here\r\n", "here", "ends here", "     ^^^^"),
        ("\ufeffguardkit 1", "1", r"\u{feff}guardkit 1", "                 ^"),
    ],
)
def test_carets_stand_under_their_text(
    find: Find, line: str, word: str, shown: str, carets: str
) -> None:
    source = Source("a.guard", "# #\n" + line)
    rows = frame(diagnose("unexpected-token", find(source, word), "no")).splitlines()
    quoted = next(i for i, row in enumerate(rows) if row.startswith(" 2 │"))
    assert rows[quoted] == f" 2 │ {shown}".rstrip()
    assert rows[quoted + 1] == f"   │ {carets}"


def test_end_of_file_after_a_line_break_shows_the_last_line() -> None:
    source = Source("a.guard", "rule x on output\n")
    end = len(source.text)
    found = diagnose("unexpected-end", Place(source, Span(end, end)), "too early", note="`when`?")
    assert frame(found) == dedent("""
        error[GK102]: too early
          --> a.guard:2:1
           │
         1 │ rule x on output
         2 │
           │ ^ `when`?
        """)


def test_end_of_file_without_a_line_break() -> None:
    source = Source("a.guard", "rule x")
    found = diagnose("unexpected-end", Place(source, Span(6, 6)), "too early")
    assert " 1 │ rule x\n   │       ^\n" in frame(found)


def test_a_span_that_ends_with_its_line_break_stays_on_its_line() -> None:
    source = Source("a.guard", "one\r\ntwo\r\n")
    found = diagnose("unexpected-end", Place(source, Span(0, 5)), "no")
    assert " 1 │ one\n   │ ^^^\n" in frame(found)


def test_an_empty_file_has_no_snippet() -> None:
    place = Place(Source("a.guard", ""), Span(0, 0))
    found = diagnose("empty-file", place, "no policy", note="0 bytes", help="write one")
    assert frame(found) == dedent("""
        error[GK127]: no policy
          --> a.guard:1:1
           │
           = note: 0 bytes
           = help: write one
        """)


def test_a_long_line_is_shown_around_the_caret(find: Find) -> None:
    source = Source("a.guard", "x = " + "abc " * 40 + "HERE" + " def" * 40)
    found = diagnose("unknown-name", find(source, "HERE"), "what is this", note="unknown")
    assert frame(found, width=60) == dedent("""
        error[GK268]: what is this
          --> a.guard:1:165
           │
         1 │ …abc abc abc abc abc abc HERE def def def def def def …
           │                          ^^^^ unknown
        """)
    assert " 1 | ...c abc abc abc abc abc HERE" in frame(found, width=60, ascii=True)


def test_the_beginning_and_the_end_of_a_long_line(find: Find) -> None:
    source = Source("a.guard", "FIRST " + "日本 " * 40 + "LAST")
    first = diagnose("unknown-name", find(source, "FIRST"), "no")
    last = diagnose("unknown-name", find(source, "LAST"), "no")
    shown = frame(first, last, width=40).splitlines()
    assert shown[4:6] == [" 1 │ FIRST 日本 日本 日本 日本 日本 日…", "   │ ^^^^^"]
    assert shown[10:12] == [
        " 1 │ …本 日本 日本 日本 日本 日本 LAST",
        "   │                              ^^^^",
    ]


def test_a_huge_line_takes_no_time(find: Find) -> None:
    source = Source("a.guard", "a" * 2_000_000 + "HERE" + "b" * 2_000_000)
    rows = frame(diagnose("unknown-name", find(source, "HERE"), "no")).splitlines()
    assert rows[4].index("HERE") == rows[5].index("^^^^")


def test_long_prose_is_wrapped_under_itself(find: Find) -> None:
    found = diagnose(
        "unknown-kind",
        find(CHAT, "patern"),
        "a message that needs more than one line because it has much to say about the matter",
        note="a note that needs more than one line because it also has much to say",
        help="a help line that needs more than one line because it has much to say as well",
    )
    assert frame(found, width=60) == dedent("""
        error[GK204]: a message that needs more than one line
                      because it has much to say about the matter
          --> policies/chat.guard:4:14
           │
         4 │ check cards: patern {
           │              ^^^^^^ a note that needs more than one
           │                     line because it also has much to
           │                     say
           │
           = help: a help line that needs more than one line because
                   it has much to say as well
        """)


def test_three_marks_on_one_line(find: Find) -> None:
    labels = [Label(find(CHAT, "check"), "one"), Label(find(CHAT, "{"), "three")]
    found = diagnose("unknown-kind", find(CHAT, "cards"), "no", note="two", labels=labels)
    assert frame(found) == dedent("""
        error[GK204]: no
          --> policies/chat.guard:4:7
           │
         4 │ check cards: patern {
           │ ----- ^^^^^         - three
           │ |     |
           │ |     two
           │ one
        """)


def test_a_fix_that_inserts_deletes_and_reaches_another_file(find: Find) -> None:
    other = Source("b.guard", "module b\nold\nlast\n")
    match = find(CHAT, "  match /[0-9]{16}/\n")
    edits = (
        Edit(Place(CHAT, Span(11, 11)), "# new\n"),
        Edit(match, ""),
        Edit(find(other, "old"), "two\nlines"),
    )
    found = diagnose("dead-rule", find(CHAT, "chat"), "no", fix=Fix("mend it", edits, safe=False))
    assert frame(found).split("   │ ")[-1] == dedent("""\
               ^^^^
           │
           = unsafe fix: mend it
         2 + # new
        ...
         5 -   match /[0-9]{16}/
          ::: b.guard
         2 - old
         2 + two
         3 + lines
        """)


def test_a_long_fix_is_cut(find: Find) -> None:
    edit = Edit(find(CHAT, "patern"), "\n".join("abcdefghij"))
    rows = frame(
        diagnose("dead-rule", find(CHAT, "chat"), "no", fix=Fix("t", (edit,)))
    ).splitlines()
    assert rows[-2:] == [" 9 + f", "   + … 4 more lines"]


def test_a_fix_that_overlaps_itself_is_shown_once(find: Find) -> None:
    place = find(CHAT, "patern")
    edits = (Edit(place, "a"), Edit(place, "b"))
    text = frame(diagnose("unknown-kind", place, "no", fix=Fix("t", edits)))
    assert " 4 + check cards: a {\n" in text
    assert "b {" not in text


def test_hostile_text_reaches_the_terminal_nowhere() -> None:
    bad = "\x1b]0;owned\x07\u202e\u2028\r\n\x9b"
    source = Source(f"dir/{bad}.guard", f"{bad}word{bad}")
    place = Place(source, Span(0, 4))
    fix = Fix(bad, (Edit(place, bad),))
    found = diagnose(
        "dead-rule", place, bad, note=bad, labels=[Label(place, bad)], help=bad, fix=fix
    )
    text = render([found], "full")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert r"\u{1b}]0;owned\u{7}\u{202e}" in text


def test_secrets_are_starred_out_unless_asked_for(find: Find) -> None:
    source = Source("a.guard", 'header "sk-live-4242AbCd"\n')
    secret = find(source, "sk-live-4242AbCd")
    found = [
        diagnose("secret-in-policy", secret, "looks like a key"),
        diagnose("unknown-name", find(source, "header"), "no"),
    ]
    text = render(found, "full")
    assert text.count('header "sk-l***-********"') == 2
    assert "4242" not in render(found, "junit")
    assert "4242" in render(found, "full", show_values=True)


def test_color_changes_nothing_but_the_colors(find: Find) -> None:
    found = diagnose("unknown-kind", find(CHAT, "patern"), "no \u202e", note="note", help="help")
    colored = render([found], "full", color=True)
    assert colored.startswith("\x1b[1;31merror[GK204]\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render([found], "full")


def test_ascii_needs_nothing_else(find: Find) -> None:
    source = Source("größe.guard", "日本 größe\n")
    found = diagnose("unknown-name", find(source, "größe"), "größe", note="größe", help="größe")
    assert render([found], "full", ascii=True).isascii()
    assert render([found], "concise", ascii=True).isascii()
