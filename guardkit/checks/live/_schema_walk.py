"""How a schema becomes nested functions, and how those walk through a value.

A schema in which a value is judged by itself without end is refused. Each value is judged by each
definition at most once, so time grows with the text and not with the number of ways through the
schema.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

MOST_NOTES = 20
"""More notes than these do not help anybody who repairs a text."""

JSON_TYPES = (str, int, float, bool, type(None), list, dict)
"""What a JSON value is in Python."""


class SchemaError(ValueError):
    """The schema cannot be used; the message says where and why."""


class Walk:
    """One value being judged.

    Args:
        notes: Where to note what was expected; None when a yes or no is enough.
        known: What definitions said about values that were judged before.
    """

    __slots__ = ("known", "notes", "path", "quiet")

    def __init__(
        self, notes: dict[str, None] | None, known: dict[tuple[str, int], bool] | None = None
    ) -> None:
        self.notes = notes
        self.path: list[str] = []
        self.known = {} if known is None else known
        self.quiet = self if notes is None else Walk(None, self.known)
        """The same walk without notes: for what may fail without harm."""

    def fails(self, expected: str) -> bool:
        """No, and what would have been a yes."""
        if self.notes is not None and len(self.notes) < MOST_NOTES:
            place = "".join(f"/{part}" for part in self.path)
            self.notes[f"at `{place}`: {expected}" if place else f"at the top: {expected}"] = None
        return False

    @contextmanager
    def at(self, part: str) -> Iterator[None]:
        """One step down, in an array or an object."""
        self.path.append(part.replace("~", "~0").replace("/", "~1"))
        yield
        self.path.pop()


Test = Callable[[Any, Walk], bool]
"""Whether a JSON value is fine. The kind of value is known where it is called."""


def down(test: Test, value: object, walk: Walk, part: str) -> bool:
    """What the test says about a part of the value."""
    if walk.notes is None:
        return test(value, walk)
    with walk.at(part):
        return test(value, walk)


def all_of(tests: Iterable[bool], walk: Walk) -> bool:
    """Whether all are true; with notes all are asked, so that every note is taken."""
    return all(tests) if walk.notes is None else all(list(tests))


class Compiler:
    """Makes the tests of one document.

    Args:
        document: The whole schema.
        makers: Words that are judged together, the kinds of value they judge, who makes the test.
        known: Every word that a schema may have.
    """

    def __init__(
        self, document: object, makers: Sequence[MakerRow], known: Collection[str]
    ) -> None:
        self._document = document
        self._makers = makers
        self._known = known
        self._targets: dict[str, list[Test]] = {}
        self._leads_to: dict[str, set[str]] = {}
        self.owner: str | None = None
        """The definition that judges the very value being judged; None below it."""

    # --- definitions and what points to them

    def target(self, pointer: str) -> Test:
        """The test of the schema that a JSON pointer leads to."""
        found = self._targets.get(pointer)
        if found is None:
            found = self._targets[pointer] = []
            self._leads_to[pointer] = set()
            outer, self.owner = self.owner, pointer
            found.append(self.schema(self._find(pointer), f"#{pointer}"))
            self.owner = outer

        def test(value: Any, walk: Walk) -> bool:
            if type(value) is not dict and type(value) is not list:
                return found[0](value, walk)
            key = (pointer, id(value))
            said = walk.known.get(key)
            if said is None or (not said and walk.notes is not None):
                said = walk.known[key] = found[0](value, walk)
            return said

        return test

    def _find(self, pointer: str) -> object:
        place: object = self._document
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                raise SchemaError(f"`$ref` leads to `#{pointer}`, and nothing is there")
        return place

    def ref(self, argument: object, where: str) -> Test:
        """What `$ref` stands for; only places in the same document can be meant."""
        if not isinstance(argument, str) or not argument.startswith("#"):
            raise SchemaError(f"`{where}` refers to another document")
        pointer = unquote(argument[1:])
        if pointer and not pointer.startswith("/"):
            raise SchemaError(f"`{where}` refers to a name: write a path that begins with `#/`")
        if self.owner is not None:
            self._leads_to[self.owner].add(pointer)
        return self.target(pointer)

    def refuse_endless(self) -> None:
        """Refuse definitions that only lead to themselves, without a step into the value."""
        done: set[str] = set()

        def visit(pointer: str, trail: tuple[str, ...]) -> None:
            if pointer in trail:
                raise SchemaError(f"`#{pointer}` refers to itself without end")
            if pointer not in done:
                for following in sorted(self._leads_to[pointer]):
                    visit(following, (*trail, pointer))
                done.add(pointer)

        for pointer in sorted(self._leads_to):
            visit(pointer, ())

    # --- schemas

    def below(self, schema: object, where: str) -> Test:
        """The test of a schema for a part of the value."""
        outer, self.owner = self.owner, None
        test = self.schema(schema, where)
        self.owner = outer
        return test

    def schema(self, schema: object, where: str) -> Test:
        """The test of a schema for the value itself."""
        if schema is True:
            return always
        if schema is False:
            return lambda value, walk: walk.fails("nothing is expected here")
        if not isinstance(schema, dict):
            raise SchemaError(f"`{where}` is not a schema")
        for word in schema:
            if word not in self._known or (word == "$id" and where != "#"):
                raise SchemaError(f"`{where}` uses `{word}`, which guardkit does not know")
        by_type: dict[type, list[Test]] = {kind: [] for kind in JSON_TYPES}
        for words, kinds, make in self._makers:
            if any(word in schema for word in words):
                test = make(self, schema, where)
                for kind in kinds:
                    by_type[kind].append(test)
        groups = {kind: tuple(tests) for kind, tests in by_type.items()}

        def judge(value: Any, walk: Walk) -> bool:
            is_fine = True
            for test in groups[type(value)]:
                if not test(value, walk):
                    if walk.notes is None:
                        return False
                    is_fine = False
            return is_fine

        return judge


def always(value: Any, walk: Walk) -> bool:
    """The test that everything passes."""
    return True


Maker = Callable[[Compiler, Mapping[str, Any], str], Test]
"""Makes a test of a schema that has some word, and of the place where it stands."""

MakerRow = tuple[tuple[str, ...], tuple[type, ...], Maker]
