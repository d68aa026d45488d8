"""The entry point: runs one verb, and turns every way it can end into an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from ._exits import BUG, CLEAN, INTERRUPTED, READER_GONE, WRONG
from ._verbs import COMPLETE, CONTEXT, Verbs, shared_options, version

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a stream that takes no more says: not a bug."""
_EPILOG = """\b
Exit codes: 0 clean, 1 findings, 2 the policy or the command line is wrong,
3 could not judge, 5 nothing to do, 101 a bug in guardkit, 130 interrupted.

`guardkit VERB --help` says more about a verb.
"""


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"guardkit {version()}")
        context.exit()


@click.group(
    "guardkit",
    cls=Verbs,
    context_settings=CONTEXT,
    subcommand_metavar="VERB ...",
    options_metavar="[OPTIONS]",
    epilog=_EPILOG,
    invoke_without_command=True,
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def app(context: click.Context) -> None:
    """Guardrails for LLM deployments as one reviewable policy file."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(WRONG)


app.params += shared_options()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    try:
        try:
            if asked := os.environ.get(COMPLETE):
                return _complete(asked)
            # Not `app.main`: it gives a broken pipe and an interrupt the code for findings.
            with app.make_context("guardkit", list(arguments)) as context:
                app.invoke(context)
            code = CLEAN
        except click.exceptions.Exit as end:
            code = end.exit_code
        except click.ClickException as error:
            error.show()
            code = WRONG
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (KeyboardInterrupt, click.Abort):
        _tell("\ninterrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    except OSError as error:
        if error.errno not in _FULL:
            _confess(error, arguments)
            return BUG
        _tell(f"error: the output cannot be written: {(error.strerror or 'it failed').lower()}")
        _drop_output()
        return WRONG
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a bug and ends here
        _confess(error, arguments)
        return BUG
    return code


def _complete(asked: str) -> int:
    """Answer a shell that completes a command line; nothing where that line is wrong."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(app, {}, "guardkit", COMPLETE, asked)
    except click.ClickException:
        return CLEAN


def _confess(error: Exception, arguments: Sequence[str]) -> None:
    """Say that guardkit has a bug, and where: no message, because it may quote guarded text."""
    if os.environ.get("GUARDKIT_TRACEBACK") == "1":
        _tell("".join(traceback.format_exception(error)).rstrip("\n"))
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    _tell(f"guardkit: internal error ({type(error).__name__}{where})")
    _tell("This is a bug in guardkit. GUARDKIT_TRACEBACK=1 shows the traceback.")


def _tell(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        _drop_output()


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's exit does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (AttributeError, OSError, ValueError):
            continue
    os.close(nowhere)
