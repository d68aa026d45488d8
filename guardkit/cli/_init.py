"""`guardkit init`: a policy with tests, a program around a model, and a CI workflow."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from guardkit.diagnostics import did_you_mean, visible
from guardkit.guard import shipped

from ._exits import CLEAN, WRONG
from ._init_apps import APPS, NAME, program
from ._screen import screen
from ._verbs import verb, version
from ._write import not_written, write_atomically

WORKFLOW = Path(".github", "workflows", "guardkit.yml")
FOLDER = "policies"

_WORKFLOW = """\
# Policies are code: every change is checked, formatted and tested before it is merged.
name: guardkit
on:
  push:
  pull_request:
permissions:
  contents: read
jobs:
  policies:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: python -m pip install "guardkit[cpu]=={version}"
      - run: guardkit check --strict --format github {folder}
      - run: guardkit fmt --diff {folder}
      - run: guardkit test --junit guardkit-tests.xml {folder}
"""


@verb("init")
@click.argument(
    "folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--template",
    default="starter",
    metavar="NAME",
    help=f"What to begin with: {', '.join(sorted(APPS))}; starter.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def command(folder: Path, template: str, force: bool) -> int:
    """Write a policy with tests into DIR, a program around a model, and a CI workflow.

    DIR is the root of your repository; the current folder when left out. Everything works as it is
    written; the head of app.py says what to change. Nothing that is there already is overwritten
    without --force, and an app.py of yours is left alone.
    """
    show = screen()
    if template not in APPS:
        known = sorted(APPS)
        advice = did_you_mean(template, known) or ("templates are " + ", ".join(known),)
        show.complain(f"there is no template `{visible(template)}`; {advice[0]}")
        return WRONG
    home = shipped("policies") / template
    files = {Path(FOLDER) / path.relative_to(home): path.read_bytes() for path in _files(home)}
    files[WORKFLOW] = _WORKFLOW.format(version=version(), folder=FOLDER).encode()
    files[Path(NAME)] = program(template).encode()
    there = [path for path in files if (folder / path).exists()]
    differ = [path for path in there if not _holds(folder / path, files[path])]
    if Path(NAME) in differ and not force:
        # A program by this usual name is somebody's own, and the policy does without ours.
        differ.remove(Path(NAME))
        files.pop(Path(NAME))
        show.say(f"kept  {visible((folder / NAME).as_posix())}, which is yours")
    if differ and not force:
        for path in differ:
            show.complain(f"`{visible((folder / path).as_posix())}` is there already")
        show.say("Nothing was written. --force overwrites.")
        return WRONG
    for path, content in files.items():
        target = folder / path
        if path in there and path not in differ:
            show.say(f"kept  {visible(target.as_posix())}, which is the same")
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
        except OSError as error:
            show.complain(not_written(target, error))
            return WRONG
        show.say(f"wrote {visible(target.as_posix())}")
    show.say()
    show.say("Next:")
    for command in _next(folder, template, has_program=Path(NAME) in files):
        show.say(f"  {show.err.paint(command, 'strong')}")
    return CLEAN


def _next(folder: Path, template: str, *, has_program: bool) -> Iterator[str]:
    """What to type now, each line as a shell takes it."""
    policy = shlex.quote((folder / FOLDER / f"{template}.guard").as_posix())
    app = APPS[template]
    yield f"guardkit check {policy}"
    yield f"guardkit test {policy}"
    where = "" if app.surface == "input" else f" --on {app.surface}"
    yield f"guardkit scan {policy}{where} {shlex.quote(app.sample)}"
    if has_program:
        yield f"python {shlex.quote((folder / NAME).as_posix())}"


def _files(home: Path) -> list[Path]:
    """Everything of a template but what is said about it."""
    found = (path for path in home.rglob("*") if path.is_file())
    return sorted(p for p in found if p.name != "README.md" and "__pycache__" not in p.parts)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
