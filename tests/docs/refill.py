"""What commands say now, written into pages: `python -m tests.docs.refill PAGE…`.

It plays a page as its test does, and where a command or a program says something else than the page
shows, writes that into the page. Read what changed: a page that shows a fault is no better for it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ._player import Player
from ._snippets import Block, agree, blocks_of

_COMMAND = re.compile(r"((?:[^\n]*\\\n)*[^\n]*\n?)(.*)", re.DOTALL)


class Refill(Player):
    """Plays a page and keeps what its blocks ought to show."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.shows: dict[int, str] = {}

    def _console(self, block: Block, text: str) -> None:
        pieces = []
        for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            found = _COMMAND.match(piece)
            assert found is not None
            head, shown = found[1].rstrip("\n"), found[2]
            said = self._run(block, self._with_ports(re.sub(r" \\\n\s*", " ", head).strip()))
            if said is not None and not agree(shown, self._as_written(said)):
                shown = self._as_written(said)
            pieces.append(f"$ {head}\n{shown}")
        self.shows[block.line] = "".join(pieces)

    def _compare(self, block: Block, shown: str, said: str, command: str = "") -> None:
        if not agree(shown, said):
            self.shows[block.line] = self._as_written(said)

    def _as_written(self, said: str) -> str:
        """With the ports and paths of the page."""
        for port, free in self.ports.items():
            said = said.replace(free, port)
        said = said.replace(f"{self.folder}/", "").rstrip("\n")
        return f"{said}\n" if said else ""


def refill(page: Path) -> bool:
    """Write what is said now into a page; whether anything changed."""
    blocks = blocks_of(page)
    home = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        player = Refill(Path(folder))
        try:
            for block in blocks:
                player.play(block)
        finally:
            player.end()
            sys.path.remove(folder)
            os.chdir(home)
    before = page.read_text(encoding="utf-8")
    lines = before.split("\n")
    for block in reversed(blocks):
        shows = player.shows.get(block.line, block.text)
        if shows != block.text:
            end = block.line + block.text.count("\n")
            lines[block.line : end] = shows.rstrip("\n").split("\n")
    page.write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines) != before


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {'changed' if refill(Path(name).resolve()) else 'as it was'}")
