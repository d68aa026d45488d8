"""Every diagnostic guardkit can give: stable id, slug, level and title. Ids are never reused.

`GK1xx` syntax, `GK2xx` semantics, `GK3xx` plan, `GK4xx` lint. The page of a code lies in `pages/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding: what code calls by slug and people by id."""

    id: str
    slug: str
    level: Level
    title: str


_TABLE: tuple[tuple[int, str, Level, str], ...] = (
    # 1xx: the text is not a policy
    (101, "unexpected-token", "error", "something else was expected here"),
    (102, "unexpected-end", "error", "a declaration ends too early"),
    (103, "unknown-character", "error", "a character that means nothing here"),
    (104, "unclosed-text", "error", "a text is not closed on its line"),
    (105, "bad-escape", "error", "an escape that does not exist"),
    (106, "missing-edition", "error", "the file does not begin with its edition"),
    (107, "newer-edition", "error", "the policy is written for another edition"),
    (108, "misplaced-header", "error", "a header line that is repeated or not at the top"),
    (109, "missing-name", "error", "neither `policy NAME` nor `module NAME` follows the edition"),
    (110, "unknown-declaration", "error", "no declaration begins with this word"),
    (111, "clause-not-indented", "error", "a clause begins in the first column"),
    (112, "reserved-name", "error", "a reserved word is used as a name"),
    (113, "mixed-and-or", "error", "`and` and `or` meet without brackets"),
    (114, "negated-quorum", "error", "`not` stands before a quorum or a cascade"),
    (115, "cascade-without-else", "error", "a cascade does not end with `else`"),
    (116, "unclosed-pattern", "error", "a pattern is not closed on its line"),
    (117, "unknown-clause", "error", "no clause of this declaration begins with this word"),
    (118, "bidi-control", "error", "a character that reorders the text a reviewer sees"),
    (119, "invisible-character", "error", "a character that a reviewer cannot see"),
    (120, "mixed-script", "error", "a word that mixes look-alike alphabets"),
    (121, "control-character", "error", "a control character"),
    (122, "too-large", "error", "the file is too large"),
    (123, "too-deep", "error", "brackets are nested too deep"),
    (124, "not-utf8", "error", "the file is not UTF-8 text"),
    (125, "unreadable-file", "error", "the file cannot be read"),
    (126, "binary-file", "error", "the file is not text"),
    (127, "empty-file", "error", "the file holds no policy"),
    (128, "stray-text", "error", "text stands before the first declaration"),
    (129, "wrong-quote", "error", "a text is written with other quotes"),
    (130, "foreign-operator", "error", "an operator of another language"),
    (131, "single-equals", "error", "`=` stands where `==` is meant"),
    (132, "malformed-number", "error", "a number that is not written as one"),
    (133, "uppercase-name", "error", "a name or keyword with capital letters"),
    (134, "missing-else", "error", "an action needs its `else`"),
    (135, "empty-block", "error", "a block with nothing in it"),
    (136, "boolean-word", "error", "`true` and `false` are written `yes` and `no`"),
    (137, "misplaced-declaration", "error", "a declaration begins inside another"),
    (138, "unquoted-text", "error", "a text without its quotes"),
    # 2xx: the policy does not mean anything
    (201, "unknown-check", "error", "no check has this name"),
    (202, "unknown-rule", "error", "no rule has this name"),
    (203, "unknown-tier", "error", "no tier has this name"),
    (204, "unknown-kind", "error", "no check kind has this name"),
    (205, "unknown-property", "error", "this check kind has no such property"),
    (206, "missing-property", "error", "a check lacks a property it needs"),
    (207, "wrong-value", "error", "a property has a value of the wrong kind"),
    (208, "duplicate-name", "error", "two declarations share a name"),
    (209, "duplicate-clause", "error", "a clause is given twice"),
    (210, "missing-clause", "error", "a declaration lacks a clause it needs"),
    (211, "duplicate-declaration", "error", "a declaration that may stand once is repeated"),
    (212, "unknown-module", "error", "a module cannot be found"),
    (213, "module-version", "error", "the module has another version"),
    (214, "import-cycle", "error", "modules use each other in a circle"),
    (215, "path-outside-root", "error", "a path leads outside the policy's folder"),
    (216, "unknown-parameter", "error", "the module has no such parameter"),
    (217, "missing-parameter", "error", "a parameter without a value"),
    (218, "parameter-type", "error", "a parameter's value has the wrong type"),
    (219, "unknown-type", "error", "no type has this name"),
    (220, "score-as-answer", "error", "a score is used as if it were yes or no"),
    (221, "answer-as-score", "error", "a yes/no check is compared with a number"),
    (222, "threshold-range", "error", "a threshold outside 0 to 1"),
    (223, "type-mismatch", "error", "two types that cannot be compared"),
    (224, "wrong-operator", "error", "an operator the type does not have"),
    (225, "constant-condition", "error", "a condition that judges nothing"),
    (226, "quorum-size", "error", "a quorum that cannot be met or cannot fail"),
    (227, "unknown-surface", "error", "no surface has this name"),
    (228, "unknown-tool", "error", "no tool has this name"),
    (229, "unknown-argument", "error", "the tool has no such argument"),
    (230, "bad-tools-file", "error", "a tool listing that cannot be used"),
    (231, "wrong-surface", "error", "something that does not exist on this surface"),
    (232, "tier-may-not", "error", "an action the tier may not take"),
    (233, "on-error-loosened", "error", "a rule that is laxer on errors than its tier"),
    (234, "on-error-missing", "error", "a tier that does not say what an error means"),
    (235, "tier-widened", "error", "a tier that is given more than it may have"),
    (236, "exempt-tier", "error", "an exemption granted from too low a tier"),
    (237, "exempt-expired", "warning", "an exemption past its date"),
    (238, "bad-date", "error", "a date that is not in the calendar"),
    (239, "bad-pattern", "error", "a pattern that cannot be compiled"),
    (240, "pattern-backtracking", "error", "a pattern that needs backtracking"),
    (241, "pattern-too-large", "error", "a pattern that compiles to too much"),
    (242, "pattern-unbounded", "error", "a pattern without an upper length on a stream"),
    (243, "pattern-matches-empty", "error", "a pattern that matches every text"),
    (244, "bad-flag", "error", "a pattern flag that does not exist"),
    (245, "bad-ref", "error", "a reference that is not well formed"),
    (246, "unknown-ref", "warning", "a reference that is not in the pinned tables"),
    (247, "ref-edition", "error", "a reference without its edition"),
    (248, "no-active-rules", "error", "a policy in which no rule is active"),
    (249, "all-shadow", "warning", "a policy in which every rule is in shadow"),
    (250, "unknown-principle", "error", "no principle has this name"),
    (251, "unknown-sequence", "error", "no sequence has this name"),
    (252, "window-range", "error", "a window or sequence with an impossible bound"),
    (253, "window-off-conversation", "error", "a window used outside a conversation rule"),
    (254, "check-on-conversation", "error", "a text check in a conversation rule"),
    (255, "window-in-window", "error", "a window that counts a conversation rule"),
    (256, "rewrite-without-spans", "error", "a rewrite with nothing to rewrite"),
    (257, "action-off-surface", "error", "an action the surface cannot carry out"),
    (258, "unknown-placeholder", "error", "a placeholder that does not exist"),
    (259, "not-in-module", "error", "a declaration that only a policy may make"),
    (260, "not-a-module", "error", "a policy is used as a module"),
    (261, "bad-apply", "error", "`apply` of something that is no library rule"),
    (262, "unknown-choice", "error", "a word that is not among the choices"),
    (263, "missing-file", "error", "a file the policy names cannot be read"),
    (264, "bad-digest", "error", "a digest that is not well formed"),
    (265, "bad-unit", "error", "a unit that does not fit"),
    (266, "out-of-range", "error", "a value outside its range"),
    (267, "judge-without-gate", "error", "a judge that no cheaper step guards"),
    (268, "unknown-name", "error", "a name that stands for nothing here"),
    (269, "test-without-expect", "error", "a test that expects nothing"),
    (270, "expect-impossible", "error", "an expectation that can never hold"),
    (271, "given-type", "error", "a given answer of the wrong type"),
    (272, "expect-before-event", "error", "an expectation before anything happened"),
    (273, "model-contradiction", "error", "a topic that is both refused and answered"),
    (274, "label-as-answer", "error", "a label is used as if it were yes or no"),
    (275, "unknown-label", "error", "a label the check never gives"),
    (276, "unknown-disguise", "error", "no disguise has this name"),
    (277, "retired-reference", "warning", "a retired rule is still counted, exempted or applied"),
    (278, "unknown-override", "error", "a value for a parameter the policy does not have"),
    (279, "too-many-modules", "error", "more modules than a policy may use"),
    (280, "canary-without-context", "warning", "a canary check without a canary to look for"),
    (281, "bad-overlay", "error", "an overlay that is not written as one"),
    (282, "overlay-weakens", "error", "an overlay takes a rule that fails closed out of force"),
    (283, "unused-permission", "warning", "an overlay may weaken a rule, and does not"),
    # 3xx: the plan
    (301, "over-budget", "warning", "the worst case is over the declared budget"),
    (302, "hold-back-too-small", "error", "the hold-back is shorter than a rule needs"),
    (303, "whole-reply-held", "note", "a rule needs the whole reply before any of it may go out"),
    (304, "cascade-order", "warning", "a cascade asks a dearer check before a cheaper one"),
    (305, "no-gate", "note", "a dear check runs on every request"),
    (306, "work-limit", "error", "the policy may cost more than the limit per request"),
    (307, "bad-plan", "error", "a saved plan that cannot be used"),
    # 4xx: lint and exact analyses
    (401, "dead-rule", "warning", "a rule that can never fire"),
    (402, "always-fires", "warning", "a rule that fires on everything"),
    (403, "subsumed-rule", "warning", "a rule that can never change a verdict"),
    (404, "contradictory-rules", "warning", "two rules that fire together and disagree"),
    (405, "unreachable-step", "warning", "a cascade step that never decides"),
    (406, "covering-exemption", "warning", "an exemption that switches its rule off"),
    (407, "idle-condition", "warning", "a part of a condition that never matters"),
    (408, "unused-check", "warning", "a check that no rule uses"),
    (409, "unused-parameter", "warning", "a parameter that nothing uses"),
    (410, "unused-module", "warning", "a module that nothing uses"),
    (411, "unused-declaration", "warning", "a declaration that nothing uses"),
    (412, "untested-rule", "note", "a rule that no test expects"),
    (413, "trained-behaviour", "warning", "an instruction that trained models follow anyway"),
    (414, "unescaped-dot", "warning", "a dot in a host name that matches any character"),
    (415, "short-pattern", "warning", "a pattern that matches almost everywhere"),
    (416, "repeated-class-member", "warning", "a character class that names a character twice"),
    (417, "nested-repetition", "warning", "a repetition inside a repetition"),
    (418, "silent-block", "warning", "a block that tells the user nothing"),
    (419, "missing-owner", "warning", "a policy that nobody owns"),
    (420, "score-operator", "warning", "a score compared with `>` or `<=`"),
    (421, "trivial-threshold", "warning", "a threshold that every score meets or none"),
    (422, "trivial-quorum", "warning", "a quorum that says `any of` or `all of`"),
    (423, "repeated-member", "warning", "the same condition twice"),
    (424, "analysis-limit", "note", "a policy too large for an exact analysis"),
    (425, "duplicate-test", "warning", "two tests with one name"),
    (426, "secret-in-policy", "warning", "something that looks like a live secret"),
    (427, "duplicate-check", "warning", "two checks that are the same"),
    (428, "alternation-shadow", "warning", "an alternative that an earlier one hides"),
    (429, "email-as-pattern", "warning", "a recipient list written as a pattern"),
    (430, "long-instruction", "warning", "a context text that costs many tokens"),
    (431, "unbudgeted-surface", "note", "a surface with dear checks and no budget"),
    (432, "open-fallback", "warning", "what was held goes out when nobody decides"),
    (433, "absent-exempts", "warning", "an exemption that an absent field grants"),
    (434, "rewrite-may-miss", "warning", "a rewrite that can fire with nothing to rewrite"),
    (435, "tier-loosened", "warning", "a tier that is laxer on errors than it is by default"),
)


def _build() -> Mapping[str, Code]:
    codes = {slug: Code(f"GK{number}", slug, level, title) for number, slug, level, title in _TABLE}
    if len({code.id for code in codes.values()}) != len(_TABLE):
        raise ValueError("two diagnostics share an id or a slug")
    return MappingProxyType(codes)


CODES: Mapping[str, Code] = _build()


def code_by_id(name: str) -> Code | None:
    """The code with this id (`GK204`, any case) or slug, or None."""
    wanted = name.strip()
    by_slug = CODES.get(wanted.lower())
    if by_slug:
        return by_slug
    return next((code for code in CODES.values() if code.id == wanted.upper()), None)
