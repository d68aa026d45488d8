"""The verbs there are, what they share, and how they are found: each is loaded when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.types import StringParamType

from ._exits import WRONG

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Write a policy",
        (
            ("init", "Write a starter policy with tests, and a CI workflow"),
            ("check", "Say everything that is wrong with a policy, and what it guards"),
            ("fmt", "Put policies into the one style"),
            ("lsp", "Serve editors: findings, completion, renaming, tests"),
        ),
    ),
    (
        "Try it",
        (
            ("test", "Run the `test` and `probe` blocks of policies"),
            ("scan", "Judge texts by a policy"),
            ("eval", "Measure a policy on labelled texts"),
            ("probe", "Attack a policy or a deployment, and say which layer stops what"),
        ),
    ),
    (
        "Bring models",
        (
            ("models", "List, verify, import and calibrate models"),
            ("train", "Make a model of labelled texts"),
        ),
    ),
    (
        "Sign and ship it",
        (
            ("build", "Put a policy or a pack of rules into one file, a bundle"),
            ("sign", "Sign a bundle, or make a key"),
            ("verify", "Say whether a bundle is whole, signed and in date"),
            ("inspect", "Show what is in a bundle"),
            ("packs", "Add packs to a deployment, put them in force, roll them back"),
        ),
    ),
    (
        "Understand it",
        (
            ("graph", "Draw the compiled rule graph"),
            ("cost", "Show what a policy costs, against its budgets"),
            ("bench", "Measure what a policy costs on this machine"),
            ("diff", "Show which verdicts change between two policies"),
            ("explain", "Show the page of a diagnostic, or why a verdict is what it is"),
            ("attribute", "Say which layer refused or failed, and how surely"),
        ),
    ),
    (
        "Run it",
        (("serve", "Guard every model behind one address: proxy, decisions, console"),),
    ),
    (
        "Watch it",
        (("audit", "Verify and export the record of what was judged"),),
    ),
    (
        "Set a machine up",
        (
            ("doctor", "Say what is wrong with this installation, and what mends it"),
            ("completion", "Print what makes a shell complete verbs and options"),
        ),
    ),
)
ONE_LINERS = dict(line for _, verbs in SECTIONS for line in verbs)
COMPLETE = "_GUARDKIT_COMPLETE"
"""The variable that a shell sets when it completes a command line."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


FORMAT = click.option(
    "--format",
    "format",
    type=click.Choice(("text", "json")),
    default="text",
    metavar="FORMAT",
    help="text or json; text when left out.",
)
"""For verbs that speak to people and to programs."""


def version() -> str:
    """The version of guardkit: the package is loaded, and a room may not import the front door."""
    return str(sys.modules["guardkit"].__version__)


def shared_options() -> list[click.Parameter]:
    """The options that stand before or after every verb."""
    return [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_kept("guardkit.quiet"),
            help="Say only what is wrong.",
        ),
        click.Option(
            ["--no-progress"],
            is_flag=True,
            expose_value=False,
            callback=_kept("guardkit.still"),
            help="Show no progress.",
        ),
    ]


def _kept(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Keeps a flag where `screen()` finds it, whichever side of the verb it stood on."""

    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.meta[key] = True

    return keep


class Verb(click.Command):
    """A verb: what its function returns is the exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own signature
        code = super().invoke(ctx)
        if code:
            ctx.exit(code)
        return code


class _Text(StringParamType):
    """A text on the command line, for which a shell offers files: it may name one."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def _shared(command: click.Command) -> click.Command:
    """A command with the options that all verbs share, and arguments that a shell completes."""
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.type is click.STRING:
            parameter.type = _Text()
    command.params += shared_options()
    return command


def verb(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function the verb of this name, with the options that all verbs share."""

    def make(function: Callable[..., int]) -> click.Command:
        command = click.command(
            name, cls=Verb, context_settings=CONTEXT, short_help=ONE_LINERS[name]
        )(function)
        return _shared(command)

    return make


def member(name: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function one of the verbs of a family, with the options that all verbs share."""

    def make(function: Callable[..., int]) -> click.Command:
        return _shared(click.command(name, cls=Verb, context_settings=CONTEXT)(function))

    return make


def family(name: str, *members: click.Command) -> Callable[[Callable[[], None]], click.Group]:
    """Make a function the verb of this name that has verbs of its own; it is only its help."""

    def make(function: Callable[[], None]) -> click.Group:
        group = click.group(
            name,
            context_settings=CONTEXT,
            short_help=ONE_LINERS[name],
            subcommand_metavar="VERB ...",
            options_metavar="[OPTIONS]",
        )(function)
        for one in members:
            group.add_command(one)
        group.params += shared_options()
        return group

    return make


class Verbs(click.Group):
    """All verbs by name; the module of one is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(ONE_LINERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ONE_LINERS:
            return None
        command: click.Command = import_module(f"._{cmd_name}", __package__).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs by their one-liners: loading all of them would take longer than a key press."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        found = [word for word in ONE_LINERS if word.startswith(incomplete)]
        return [CompletionItem(word, help=ONE_LINERS[word]) for word in found]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in ONE_LINERS and not word.startswith("-"):
            raise UnknownVerbError(word, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(len(name) for name in ONE_LINERS)
        for title, verbs in SECTIONS:
            with formatter.section(title):
                # The same column in every section, unlike what each would choose alone.
                formatter.write_dl([(name.ljust(widest), line) for name, line in verbs])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)
        self.format_epilog(ctx, formatter)


class UnknownVerbError(click.UsageError):
    """No verb has this name."""

    exit_code = WRONG

    def __init__(self, word: str, context: click.Context) -> None:
        # Imported here: most runs name a verb that exists.
        from guardkit.diagnostics import nearest, visible

        shown = visible(word)
        if word.endswith(".guard"):
            advice = f"To check a policy, type `guardkit check {shown}`."
        elif near := nearest(word, ONE_LINERS):
            advice = f"Did you mean `{near}`?"
        else:
            advice = f"Verbs are {', '.join(ONE_LINERS)}."
        super().__init__(f"There is no verb `{shown}`. {advice}", context)
