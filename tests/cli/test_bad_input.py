"""Whatever the command line points at: one clear diagnostic, exit 2, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ._run import SMALL, Done, guardkit

VERBS = ["check", "fmt", "graph", "cost", "test"]


def told_once(done: Done, says: str) -> None:
    assert done.code == 2, done.err
    assert says in done.err
    assert "Traceback" not in done.err + done.out
    assert done.out == ""
    assert sum(line.startswith("error") for line in done.err.splitlines()) == 1, done.err


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "GK127"),
        (b"\n\n# only a remark\n", "GK127"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "GK126"),
        (SMALL.encode("utf-16"), "GK124"),
        (SMALL.encode().replace(b"Small", b"Sm\xe4ll"), "GK124"),
        (SMALL.replace("guardkit 1", "guardkit 2").encode(), "GK107"),
    ],
)
def test_content(tmp_path: Path, verb: str, content: bytes, says: str) -> None:
    path = tmp_path / "odd.guard"
    path.write_bytes(content)
    told_once(guardkit(verb, path), says)


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_file(tmp_path: Path, verb: str) -> None:
    told_once(guardkit(verb, tmp_path / "none.guard"), "there is no such file")


@pytest.mark.parametrize("verb", ["check", "fmt", "test"])
def test_a_folder_without_policies(tmp_path: Path, verb: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    told_once(guardkit(verb, tmp_path), "there is no policy below")


@pytest.mark.parametrize("verb", ["graph", "cost"])
def test_a_folder_where_a_file_is_meant(tmp_path: Path, verb: str) -> None:
    told_once(guardkit(verb, tmp_path), "it is a directory")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "made",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["windows", "mark", "no-last-break"],
)
def test_harmless_oddities_are_read(
    tmp_path: Path, verb: str, made: Callable[[str], bytes]
) -> None:
    path = tmp_path / "odd.guard"
    path.write_bytes(made(SMALL))
    assert guardkit(verb, path).code == 0


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_that_is_no_text(tmp_path: Path, verb: str) -> None:
    path = f"{tmp_path.as_posix()}/od\udcffd\x1b[31m.guard"
    done = guardkit(verb, path)
    assert done.code == 2
    assert "\x1b" not in done.err
    done.err.encode()


def test_a_file_nobody_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.guard"
    path.write_text(SMALL)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    told_once(guardkit("check", path), "permission denied")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("check",),
        ("fmt",),
        ("test",),
        ("graph",),
        ("diff", "only-one"),
        ("explain",),
        ("chek", "x"),
        ("policy.guard",),
        ("check", "--nonsense", "x"),
        ("check", "--format", "xml", "x"),
        ("cost", "--size", "-1", "x"),
        ("cost", "--size", "nan", "x"),
    ],
)
def test_a_wrong_command_line(arguments: tuple[str, ...]) -> None:
    done = guardkit(*arguments)
    assert done.code == 2, (done.out, done.err)
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("chek", "Did you mean `check`?"),
        ("policy.guard", "type `guardkit check policy.guard`"),
        ("zzz", "Verbs are init, check"),
    ],
)
def test_an_unknown_verb_gets_advice(word: str, says: str) -> None:
    # Usage errors are wrapped by click; blanks are not what is tested.
    assert says in " ".join(guardkit(word).err.split())
