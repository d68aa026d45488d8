"""Undoes the pseudonyms that a reply names: those of the model, never those of a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ._parts import Part

_SHAPED = re.compile(r"\[[^\[\]]{3,80}\]")
"""Whatever may be a pseudonym; the guard says what is one."""


class Pseudonyms:
    """What the pseudonyms in a reply stand for, looked up before the reply is judged.

    A rule may put a pseudonym where the reply showed a value. That one came later, and stays.

    Args:
        restore: Gives a text of the session with its pseudonyms undone.
        parts: The reply. Arguments of calls are left to the guard, which restores them itself.
    """

    def __init__(self, restore: Callable[[str], str], parts: Iterable[Part]) -> None:
        texts = (part.text for part in parts if part.kind == "text" and not part.is_fixed)
        names = {name for text in texts if "[" in text for name in _SHAPED.findall(text)}
        restored = ((name, restore(name)) for name in names)
        self._values = {name: value for name, value in restored if value != name}

    def undone(self, text: str) -> str:
        """The text as its session may see it. What is put in is not looked at again."""
        if not self._values:
            return text
        return _SHAPED.sub(lambda found: self._values.get(found[0], found[0]), text)
