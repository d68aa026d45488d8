"""The words of the language, and the words of other languages that people write instead."""

from __future__ import annotations

DECLARATIONS = (
    "apply",
    "check",
    "context",
    "defaults",
    "exempt",
    "guardkit",
    "model",
    "module",
    "monitor",
    "param",
    "policy",
    "principle",
    "probe",
    "rule",
    "sequence",
    "test",
    "tier",
    "tiers",
    "use",
    "window",
)

RULE_ORDER = (
    "title",
    "tier",
    "severity",
    "owner",
    "version",
    "refs",
    "mode",
    "note",
    "on",
    "when",
    "unless",
    "then",
    "on_error",
)
"""House order of clauses; `fmt` writes it and the tree holds it."""

EXEMPT_ORDER = ("tier", "when", "owner", "reason", "refs", "note", "until")
HEADER_ORDER = ("title", "owner", "version", "note")

CLAUSES_OF = {
    "context": ("say", "principle", "canary"),
    "defaults": ("budget", "hold_back", "hold_limit", "session_ttl", "unread"),
    "exempt": EXEMPT_ORDER,
    "model": ("refuses", "answers"),
    "module": HEADER_ORDER,
    "monitor": ("watch", "alarm", "owner", "note"),
    "policy": HEADER_ORDER,
    "principle": ("tier", "text", "title", "note", "refs"),
    "probe": ("cases", "disguise", "on", "expect", "seed", "note"),
    "rule": RULE_ORDER,
    "sequence": ("first", "then", "within", "note"),
    "test": ("given", "input", "output", "retrieved", "tool_call", "tool_result", "expect"),
    "window": ("count", "last", "note"),
}
CLAUSES = frozenset(word for words in CLAUSES_OF.values() for word in words)

CONNECTIVES = frozenset({"and", "or", "not", "in", "if", "else", "where", "with"})
"""Reserved words that join other words: nobody means them as names."""

CONTINUATIONS = frozenset(CLAUSES | {"and", "or", "else", "yes", "no"}) - set(DECLARATIONS)
"""Words that begin a line, but never a declaration."""

VERBS = ("block", "hold", "revise", "rewrite", "flag", "pass")
SURFACES = ("input", "retrieved", "tool_call", "tool_result", "output", "conversation")
OPERATORS = frozenset({"==", "!=", ">=", "<=", "<", ">"})

_SAME_DECLARATION = {
    "action": "rule",
    "config": "defaults",
    "const": "param",
    "def": "check",
    "detector": "check",
    "exception": "exempt",
    "flow": "rule",
    "forbid": "rule",
    "from": "use",
    "import": "use",
    "include": "use",
    "let": "param",
    "load": "use",
    "metric": "monitor",
    "options": "defaults",
    "permit": "rule",
    "persona": "context",
    "require": "use",
    "settings": "defaults",
    "system": "context",
    "var": "param",
    "variable": "param",
}
_SAME_CLAUSE = {
    "action": "then",
    "condition": "when",
    "description": "note",
    "except": "unless",
    "id": "title",
    "if": "when",
    "level": "severity",
    "name": "title",
    "priority": "severity",
    "references": "refs",
    "surface": "on",
    "tags": "refs",
    "where": "when",
    "why": "reason",
}
_SAME_VERB = {
    "accept": "pass",
    "alert": "flag",
    "allow": "pass",
    "deny": "block",
    "escalate": "hold",
    "log": "flag",
    "mask": "rewrite",
    "permit": "pass",
    "redact": "rewrite",
    "refuse": "block",
    "reject": "block",
    "replace": "rewrite",
    "report": "flag",
    "retry": "revise",
    "review": "hold",
    "stop": "block",
    "warn": "flag",
}
_SAME_SURFACE = {
    "answer": "output",
    "assistant": "output",
    "chat": "conversation",
    "completion": "output",
    "document": "retrieved",
    "documents": "retrieved",
    "prompt": "input",
    "rag": "retrieved",
    "reply": "output",
    "request": "input",
    "response": "output",
    "session": "conversation",
    "tool": "tool_call",
    "tools": "tool_call",
    "user": "input",
}
SYNONYMS = (_SAME_DECLARATION, _SAME_CLAUSE, _SAME_VERB, _SAME_SURFACE)

SHAPES = {
    "alarm": "alarm above 5% over 1h",
    "apply": 'apply MODULE.RULE (parameter: "value")',
    "at": "CHECK at fpr 0.5%",
    "budget": "budget input 25ms` or `budget refusals 2%",
    "cascade": "cascade { yes if A  no if B  else no }",
    "check": "check NAME = KIND { … }",
    "exempt": "exempt RULE { … }",
    "first": "first tool_result tool.fetch where CONDITION",
    "guardkit": "guardkit 1",
    "hold": 'hold for "TEAM" within 15m else block',
    "hold_back": "hold_back 64 chars` or `hold_back all",
    "hold_limit": "hold_limit 4096 chars",
    "last": "last 10 turns per session",
    "mask": "rewrite matches as mask keep last 4",
    "monitor": "monitor NAME { … }",
    "param": "param NAME: score = 0.85",
    "principle": "principle NAME { … }",
    "probe": "probe NAME { … }",
    "revise": "revise by PRINCIPLE at most 2 else block",
    "rewrite": 'rewrite matches as "[{label}]"',
    "rule": "rule NAME { … }",
    "sequence": "sequence NAME { … }",
    "test": 'test "TITLE" { … }',
    "tier": "tier NAME may rewrite, flag on_error flag",
    "tiers": "tiers safety > ethics > guidelines > helpfulness",
    "tool_call": 'tool_call tool.NAME (argument: "value")',
    "until": "until 2027-01-31",
    "use": 'use "std/pii" version "1" as pii',
    "window": "window NAME { count RULE last 10 turns per session }",
    "within": "within 20 turns",
}
"""How a declaration, clause or action is written, by its first word."""

EXPECT_SHAPES = {
    "probe": "expect stopped at least 95% confidence 95%",
    "test": "expect block by RULE",
}
