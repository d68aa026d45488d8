"""`guardkit completion`: what makes a shell complete verbs, options and files."""

from __future__ import annotations

import click

from ._exits import CLEAN
from ._screen import screen
from ._verbs import COMPLETE, verb

SHELLS = ("bash", "zsh", "fish")
_WHERE = {
    "bash": 'eval "$(guardkit completion bash)"   # into ~/.bashrc',
    "zsh": 'eval "$(guardkit completion zsh)"   # into ~/.zshrc, after compinit',
    "fish": "guardkit completion fish > ~/.config/fish/completions/guardkit.fish",
}


@verb("completion")
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
def command(shell: str) -> int:
    """Print what makes SHELL complete verbs, options and files: bash, zsh or fish.

    \b
      eval "$(guardkit completion bash)"     into ~/.bashrc
      eval "$(guardkit completion zsh)"      into ~/.zshrc, after compinit
      guardkit completion fish > ~/.config/fish/completions/guardkit.fish
    """
    show = screen()
    show.out.data(script(shell))
    if show.out.file.isatty():
        show.say(f"# {_WHERE[shell]}")
    return CLEAN


def script(shell: str) -> str:
    """The script of a shell. It asks `guardkit` at every key, so it never goes stale."""
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    assert known is not None, shell
    made = known(click.Group("guardkit"), {}, "guardkit", COMPLETE)
    # Not `made.source()`: it runs bash to learn its version, and a script may be made elsewhere.
    return made.source_template % made.source_vars() + "\n"
