"""Finds addresses that lead to a host outside the allow list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from guardkit._util.values import is_domain_pattern
from guardkit.catalog import Form, Hit, Setting
from guardkit.errors import BindError

from ._addresses import MARKUP, RUNNING, outside
from ._files import text_of
from ._hosts import Hosts
from ._matches import outermost


def bind(config: Mapping[str, object], setting: Setting) -> LinksFinder:
    """A finder for links that lead elsewhere.

    Raises:
        BindError: The file cannot be used, or one of its lines is not a host.
    """
    listed = config.get("allow")
    hosts = [str(host) for host in listed] if isinstance(listed, tuple) else []
    if "file" in config:
        hosts += _lines(config["file"], setting)
    return LinksFinder(Hosts(hosts))


def _lines(file: object, setting: Setting) -> Iterator[str]:
    """The hosts in a file."""
    assert isinstance(file, tuple)
    for number, line in enumerate(text_of(setting, file).splitlines(), 1):
        host = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if host and not is_domain_pattern(host):
            raise BindError(f"line {number} of the file `{file[0]}` is not a host")
        if host:
            yield host


class LinksFinder:
    """Finds links that lead elsewhere; implements `Finder`.

    Args:
        hosts: The hosts that may be linked.
    """

    __slots__ = ("_hosts",)

    key_words: tuple[str, ...] = ()
    spaced = 64
    """Addresses have no blanks; what stands before one in markup is seen again with it."""
    words: tuple[str, ...] = ()

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def needles(self, form: Form) -> tuple[str, ...]:
        """What every address has. Loose text has lost where a host ends."""
        return (*RUNNING, *MARKUP) if form == "plain" else ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Each address that leads to a host that is not allowed."""
        has_markup = any(needle >= len(RUNNING) for needle in seen)
        found = outermost(outside(text, self._hosts, has_markup=has_markup))
        return [Hit(start, end) for start, end in found]
