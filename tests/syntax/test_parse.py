"""From text to tree: every declaration, spans, comments, and one diagnostic per declaration."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from guardkit.diagnostics import Source, Span
from guardkit.syntax import EDITION, Parsed, ast, comments_of, parse

TESTS = Path(__file__).parent.parent
HEADER = "guardkit 1\npolicy p\n\n"
S = Span(0, 0)


def parsed(body: str) -> Parsed:
    return parse(Source("p.guard", HEADER + body))


def declaration(body: str) -> Any:
    found = parsed(body)
    assert not found.diagnostics, found.diagnostics
    assert len(found.file.declarations) == 3
    return found.file.declarations[2]


def name(text: str) -> ast.Name:
    return ast.Name(S, text)


def ref(*parts: str) -> ast.Ref:
    return ast.Ref(S, parts)


def text(value: str) -> ast.Literal:
    return ast.Literal(S, "text", value, f'"{value}"')


def number(raw: str) -> ast.Literal:
    return ast.Literal(S, "number", float(raw), raw)


def percent(raw: str) -> ast.Literal:
    return ast.Literal(S, "percent", float(raw[:-1]) / 100, raw)


def duration(value: int, raw: str) -> ast.Literal:
    return ast.Literal(S, "duration", value, raw)


def clause(word: str, *values: Any) -> ast.Clause:
    return ast.Clause(S, word, values, S)


def when(condition: str) -> Any:
    return declaration(f"rule r {{ when {condition} }}\n").clauses[0].values[0]


def then(action: str) -> Any:
    return declaration(f"rule r {{ then {action} }}\n").clauses[0].values[0]


@pytest.mark.parametrize("path", sorted(TESTS.glob("samples/*.guard")), ids=lambda path: path.stem)
def test_samples_parse(path: Path) -> None:
    assert parse(Source(path.name, path.read_text(encoding="utf-8"))).is_clean


def test_header() -> None:
    source = Source("p.guard", 'guardkit 1\nmodule m\n  owner "o"\n  title "t"\n')
    edition, header = parse(source).file.declarations
    assert edition == ast.Edition(S, EDITION)
    clauses = (clause("title", text("t")), clause("owner", text("o")))
    assert header == ast.Header(S, "module", name("m"), clauses)


def test_tiers() -> None:
    assert declaration("tiers a > b > c\n") == ast.Tiers(S, (name("a"), name("b"), name("c")))
    assert declaration("tier a may flag, pass on_error hold\n") == ast.Tier(
        S, name("a"), (name("flag"), name("pass")), name("hold")
    )
    assert declaration("tier a\n") == ast.Tier(S, name("a"), (), None)


def test_defaults() -> None:
    body = "defaults { budget output 40ms per chunk budget refusals 2% hold_back 64 chars "
    body += "hold_back all session_ttl 24h unread flag }\n"
    assert declaration(body).clauses == (
        clause("budget", ast.Budget(S, name("output"), duration(40, "40ms"), True)),
        clause("budget", ast.Budget(S, name("refusals"), percent("2%"), False)),
        clause("hold_back", number("64")),
        clause("hold_back", name("all")),
        clause("session_ttl", duration(86_400_000, "24h")),
        clause("unread", name("flag")),
    )


def test_use_and_param() -> None:
    assert declaration('use "m" version "1" as m with (a: [x, 1])\n') == ast.UseModule(
        S,
        text("m"),
        text("1"),
        name("m"),
        (ast.Argument(S, "a", ast.ListOf(S, (ref("x"), number("1"))), S),),
    )
    assert declaration('use tools "t" as tool\n') == ast.UseTools(S, text("t"), name("tool"))
    assert declaration("param p: list of domain = []\n") == ast.Param(
        S, name("p"), name("domain"), True, ast.ListOf(S, ())
    )
    assert declaration("param p: score\n") == ast.Param(S, name("p"), name("score"), False, None)
    assert declaration("apply m.r\n") == ast.Apply(S, ref("m", "r"), ())


def test_check() -> None:
    body = (
        "check a.b = pattern { match /x\\/y/i with (k: yes) max 40 chars valid entropy >= 3.5 }\n"
    )
    assert declaration(body) == ast.Check(
        S,
        ref("a", "b"),
        name("pattern"),
        (
            ast.Property(
                S,
                name("match"),
                ast.Pattern(S, "x/y", "i"),
                (ast.Argument(S, "k", ast.Literal(S, "answer", True, "yes"), S),),
            ),
            ast.Property(S, name("max"), ast.Sized(S, number("40"), name("chars"))),
            ast.Property(S, name("valid"), ast.Chosen(S, name("entropy"), ">=", number("3.5"))),
        ),
    )


def test_context_and_model() -> None:
    assert declaration('context { say "x" principle p canary }\n') == ast.Block(
        S,
        "context",
        None,
        (clause("say", text("x")), clause("principle", ref("p")), clause("canary")),
    )
    assert declaration("model { refuses a.b, c }\n") == ast.Block(
        S, "model", None, (clause("refuses", ref("a", "b"), ref("c")),)
    )


def test_clauses_stand_in_house_order() -> None:
    block = declaration("rule r { then flag when a tier t when b }\n")
    assert [one.word for one in block.clauses] == ["tier", "when", "when", "then"]
    assert block.clauses[1].values == (ref("a"),)


def test_on() -> None:
    block = declaration("rule r { on input, tool_call tool.a, tool.b, output }\n")
    assert block.clauses[0].values == (
        ast.Target(S, name("input")),
        ast.Target(S, name("tool_call"), (ref("tool", "a"), ref("tool", "b"))),
        ast.Target(S, name("output")),
    )


@pytest.mark.parametrize(
    ("written", "action"),
    [
        ("block", ast.Action(S, "block")),
        ('block "x" for session', ast.Action(S, "block", text=text("x"), for_session=True)),
        (
            'hold for "t" within 15m else block',
            ast.Action(
                S,
                "hold",
                approvers=text("t"),
                within=duration(900_000, "15m"),
                otherwise=ast.Action(S, "block"),
            ),
        ),
        (
            "revise by p at most 2 within 5s else pass",
            ast.Action(
                S,
                "revise",
                principle=ref("p"),
                rounds=number("2"),
                within=duration(5_000, "5s"),
                otherwise=ast.Action(S, "pass"),
            ),
        ),
        ('rewrite all as "x"', ast.Action(S, "rewrite", text=text("x"), form="text", whole=True)),
        (
            "rewrite matches as mask keep last 4",
            ast.Action(S, "rewrite", form="mask", keep=number("4")),
        ),
        ("rewrite matches as hash", ast.Action(S, "rewrite", form="hash")),
        ("flag", ast.Action(S, "flag")),
    ],
)
def test_actions(written: str, action: ast.Action) -> None:
    assert then(written) == action


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("a or b or c", ast.AnyOf(S, (ref("a"), ref("b"), ref("c")))),
        ("a and (b or c)", ast.AllOf(S, (ref("a"), ast.AnyOf(S, (ref("b"), ref("c")))))),
        ("((a))", ref("a")),
        ("not a == 1", ast.Negation(S, ast.Comparison(S, ref("a"), "==", number("1")))),
        ("a not in [1]", ast.Membership(S, ref("a"), ast.ListOf(S, (number("1"),)), True)),
        ("a at fpr 1%", ast.AtRate(S, ref("a"), name("fpr"), percent("1%"))),
        ("sequence s", ast.Seen(S, name("s"))),
        ("2 of (a, b,)", ast.Quorum(S, number("2"), (ref("a"), ref("b")))),
        ("any of (a)", ast.Quorum(S, name("any"), (ref("a"),))),
        (
            "cascade { yes if a no if b else yes }",
            ast.Cascade(S, (ast.Step(S, True, ref("a")), ast.Step(S, False, ref("b"))), True),
        ),
        ('call.to."x y"', ref("call", "to", "x y")),
        ("context.channel", ref("context", "channel")),
        ('{a: 1} == "x"', ast.Comparison(
            S, ast.Record(S, (ast.Argument(S, "a", number("1"), S),)), "==", text("x")
        )),
    ],
)  # fmt: skip
def test_conditions(written: str, condition: ast.Condition) -> None:
    assert when(written) == condition


def test_conversation() -> None:
    body = "sequence s { first tool_result tool.a where b then input within 3 turns }\n"
    target = ast.Target(S, name("tool_result"), (ref("tool", "a"),))
    assert declaration(body).clauses == (
        clause("first", ast.Event(S, target, ref("b"))),
        clause("then", ast.Event(S, ast.Target(S, name("input")), None)),
        clause("within", number("3")),
    )
    assert declaration("window w { count a last 9 turns per session }\n").clauses == (
        clause("count", ref("a")),
        clause("last", number("9")),
    )
    literal = ast.Literal(S, "date", "2027-01-31", "2027-01-31")
    assert declaration("exempt r { until 2027-01-31 }\n").clauses == (clause("until", literal),)


def test_tests() -> None:
    body = (
        'test "t" for each q in [1] { given a fails given a = yes input q tool_call t (a: {b: 1}) '
    )
    body += 'tool_result t "x" expect block by r, s becomes "y" }\n'
    record = ast.Record(S, (ast.Argument(S, "b", number("1"), S),))
    assert declaration(body) == ast.Test(
        S,
        text("t"),
        name("q"),
        ast.ListOf(S, (number("1"),)),
        (
            ast.Given(S, ref("a"), None),
            ast.Given(S, ref("a"), ast.Literal(S, "answer", True, "yes")),
            ast.Said(S, "input", ref("q")),
            ast.Called(S, ref("t"), (ast.Argument(S, "a", record, S),)),
            ast.Returned(S, ref("t"), text("x")),
            ast.Expect(S, name("block"), (ref("r"), ref("s")), text("y")),
        ),
    )


def test_measurement() -> None:
    body = "probe p { disguise a, b expect stopped at least 95% confidence 90% seed 7 }\n"
    rate = ast.Rate(S, name("stopped"), "least", percent("95%"), percent("90%"))
    assert declaration(body).clauses == (
        clause("disguise", name("a"), name("b")),
        clause("expect", rate),
        clause("seed", number("7")),
    )
    body = "monitor m { watch a and b on output alarm above 5% over 1h }\n"
    watched = ast.AllOf(S, (ref("a"), ref("b")))
    assert declaration(body).clauses == (
        clause("watch", ast.Watch(S, watched, name("output"))),
        clause("alarm", ast.Alarm(S, "above", percent("5%"), duration(3_600_000, "1h"))),
    )


def test_escapes() -> None:
    written = declaration(r'rule r { title "\"\\\n\t\r\/\u{20AC}\u{1F600}" }' + "\n")
    literal = written.clauses[0].values[0]
    assert literal.value == '"\\\n\t\r/\u20ac\U0001f600'


def test_soft_words_are_names() -> None:
    soft = (
        "may per chunk tools list of text say canary count turns fails watch any all none cascade"
    )
    for word in soft.split():
        assert declaration(f"rule {word} {{ when {word}.x }}\n").name.text == word


# --- spans


def spanned(source: Source, node: ast.Node) -> str:
    return source.slice(node.span)


def test_spans_hold_what_was_written() -> None:
    body = 'rule r {\n  when a and (b or not (c))  # why\n  then block "x"\n}\n\n'
    source = Source("p.guard", HEADER + body)
    rule: Any = parse(source).file.declarations[2]
    assert spanned(source, rule) == body.strip()
    first, second = rule.clauses
    assert spanned(source, first) == "when a and (b or not (c))"
    assert source.slice(first.word_span) == "when"
    chain = first.values[0]
    assert spanned(source, chain) == "a and (b or not (c))"
    assert spanned(source, chain.members[1]) == "b or not (c)"
    assert spanned(source, chain.members[1].members[1]) == "not (c)"
    assert spanned(source, second.values[0]) == 'block "x"'


def test_spans_do_not_take_part_in_equality() -> None:
    assert when("a  and   b") == when("a and b")


def test_comments() -> None:
    body = 'rule r {  # one  \n  title "# no"\n# two\n}\ncheck c = pattern { match /#/ }\n'
    comments = comments_of(HEADER + body)
    assert [comment.text for comment in comments] == ["# one", "# two"]
    source = Source("p.guard", HEADER + body)
    assert source.slice(comments[1].span) == "# two"


# --- mistakes


def test_each_declaration_has_its_own_mistake() -> None:
    found = parsed("rule a { on inpt }\nrule b { then flag }\nrule c { then }\nrulle d { }\n")
    slugs = [diagnostic.code.slug for diagnostic in found.diagnostics]
    assert slugs == ["unexpected-token", "unexpected-token", "unknown-declaration"]
    assert [d.name.text for d in found.file.declarations[2:]] == ["b"]  # type: ignore[union-attr]  # rules


def test_diagnostics_are_sorted_and_bounded() -> None:
    found = parsed("rule r { then }\n" * 500).diagnostics
    assert len(found) == 100
    assert list(found) == sorted(found, key=lambda diagnostic: diagnostic.order)


def test_a_slid_clause_costs_one_diagnostic() -> None:
    found = parsed("rule r {\n  tier t\nwhen a\n  then flag\n}\nrule s { then flag }\n")
    assert [diagnostic.code.slug for diagnostic in found.diagnostics] == ["clause-not-indented"]


def test_parsing_is_safe_across_threads() -> None:
    text = (TESTS / "samples/retail_support.guard").read_text(encoding="utf-8")
    trees: list[ast.File] = []
    threads = [Thread(target=lambda: trees.append(parse(Source("p", text)).file)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trees) == 8
    assert all(tree == trees[0] for tree in trees)
