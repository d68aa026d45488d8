"""Files named by untrusted text: only what lies inside is read."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardkit._util import contained
from guardkit._util.contained import ContainmentError, Kind, read_contained, resolve_contained

any_text = st.text(alphabet=st.characters(exclude_categories=()))
needs_posix = pytest.mark.skipif(os.name != "posix", reason="platform: file kinds of POSIX")


@pytest.fixture(params=["by part", "plainly"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree with an outside beside it, read in both ways."""
    if request.param == "plainly":
        monkeypatch.setattr(contained, "_BY_PART", False)
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    (root / "sub" / "b.txt").write_bytes(b"bb")
    (root / "sub" / "deep" / "c.txt").write_bytes(b"")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "rootless").mkdir()
    (tmp_path / "rootless" / "x.txt").write_bytes(b"secret")
    return root


def kind_of(root: Path, name: str, limit: int = 100) -> Kind:
    with pytest.raises(ContainmentError) as caught:
        read_contained(root, name, limit)
    assert str(root) not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.kind


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"a"),
        ("./a.txt", b"a"),
        ("sub/b.txt", b"bb"),
        ("sub//b.txt", b"bb"),
        ("sub/deep/c.txt", b""),
        ("sub/../a.txt", b"a"),
        ("sub/deep/../../a.txt", b"a"),
    ],
)
def test_what_lies_inside_is_read(root: Path, name: str, data: bytes) -> None:
    assert read_contained(root, name, 100) == data


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "missing"),
        ("none.txt", "missing"),
        ("sub/none.txt", "missing"),
        ("none/none.txt", "missing"),
        ("a.txt/x", "missing"),
        ("a.txt\0", "missing"),
        ("\ud800", "missing"),
        ("a" * 300, "unreadable"),
        ("a/" * 3000, "missing"),
        (".", "not-a-file"),
        ("sub", "not-a-file"),
        ("sub/", "not-a-file"),
        ("a.txt/", "not-a-file"),
        ("..", "outside"),
        ("../secret.txt", "outside"),
        ("../rootless/x.txt", "outside"),
        ("../root/a.txt", "outside"),
        ("sub/../../secret.txt", "outside"),
        ("none/../../secret.txt", "outside"),
        ("/etc/passwd", "outside"),
        ("//etc/passwd", "outside"),
        ("..\\secret.txt", "outside"),
        ("sub\\b.txt", "outside"),
        ("C:/secret.txt", "outside"),
        ("C:secret.txt", "outside"),
    ],
)
def test_the_rest_is_refused(root: Path, name: str, kind: Kind) -> None:
    assert kind_of(root, name) == kind


def test_an_absolute_name_is_refused_even_inside(root: Path) -> None:
    with pytest.raises(ContainmentError) as caught:
        read_contained(root, str(root / "a.txt"), 100)
    assert caught.value.kind == "outside"


def test_size(root: Path) -> None:
    assert read_contained(root, "sub/b.txt", 2) == b"bb"
    assert kind_of(root, "sub/b.txt", 1) == "too-large"
    assert read_contained(root, "sub/deep/c.txt", 0) == b""
    (root / "big").write_bytes(bytes(3 << 20))
    assert len(read_contained(root, "big", 3 << 20)) == 3 << 20
    assert kind_of(root, "big", (3 << 20) - 1) == "too-large"


def test_a_missing_root(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "none", "a.txt") == "missing"
    (tmp_path / "file").write_bytes(b"")
    assert kind_of(tmp_path / "file", "a.txt") == "missing"


@needs_posix
@pytest.mark.parametrize(
    ("link", "target", "name", "data"),
    [
        ("l", "a.txt", "l", b"a"),
        ("l", "sub", "l/b.txt", b"bb"),
        ("sub/l", "../a.txt", "sub/l", b"a"),
        ("l", "sub/deep", "l/../b.txt", b"bb"),
        ("l", "../root/a.txt", "l", b"a"),
        ("l", "{root}/sub/b.txt", "l", b"bb"),
    ],
)
def test_links_inside_are_followed(
    root: Path, link: str, target: str, name: str, data: bytes
) -> None:
    (root / link).symlink_to(target.format(root=root))
    assert read_contained(root, name, 100) == data


@needs_posix
@pytest.mark.parametrize(
    ("link", "target", "name", "kind"),
    [
        ("l", "../secret.txt", "l", "outside"),
        ("l", "../rootless", "l/x.txt", "outside"),
        ("l", "{root}/../secret.txt", "l", "outside"),
        ("l", "/etc/passwd", "l", "outside"),
        ("l", "/", "l/etc/passwd", "outside"),
        ("l", "..", "l/secret.txt", "outside"),
        ("l", "sub/deep/../../../secret.txt", "l", "outside"),
        ("l", "../none", "l", "outside"),
        ("l", "none", "l", "missing"),
        ("l", "sub", "l", "not-a-file"),
        ("l", "/dev/zero", "l", "outside"),
    ],
)
def test_links_that_lead_elsewhere_are_refused(
    root: Path, link: str, target: str, name: str, kind: Kind
) -> None:
    (root / link).symlink_to(target.format(root=root))
    assert kind_of(root, name) == kind


@needs_posix
def test_links_in_a_circle_are_refused(root: Path) -> None:
    (root / "l").symlink_to("m")
    (root / "m").symlink_to("l")
    assert kind_of(root, "l") == "unreadable"
    assert kind_of(root, "l/x") in ("unreadable", "missing")
    with pytest.raises(ContainmentError):
        resolve_contained(root, "l")


@needs_posix
def test_the_root_itself_may_be_a_link(root: Path) -> None:
    other = root.parent / "alias"
    other.symlink_to(root)
    assert read_contained(other, "sub/b.txt", 100) == b"bb"
    (root / "l").symlink_to(other / "a.txt")
    assert read_contained(root, "l", 100) == b"a"


@needs_posix
def test_special_files_are_refused_without_waiting(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "fifo")
    assert kind_of(root, "fifo") == "not-a-file"
    with pytest.raises(ContainmentError, match="is not a file"):
        resolve_contained(root, "fifo")
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as end:
        end.bind(f"{short}/s")
        assert kind_of(Path(short), "s") == "not-a-file"
    # Even if the first look is fooled, the open does not hang and the second look refuses.
    monkeypatch.setattr(contained, "_refuse_special", lambda facts: None)
    assert kind_of(root, "fifo") == "not-a-file"
    assert kind_of(root, "sub") == "not-a-file"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="platform: there is no /dev/zero")
def test_devices_are_refused() -> None:
    assert kind_of(Path("/dev"), "zero") == "not-a-file"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="platform: there is no /proc")
def test_a_file_that_hides_its_size_is_bounded() -> None:
    assert kind_of(Path(f"/proc/{os.getpid()}"), "status", 8) == "too-large"


def test_a_file_without_permission_is_unreadable(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, *_: object, **__: object) -> int:
        raise PermissionError(13, "refused", path)

    monkeypatch.setattr(os, "open", refuse)
    assert kind_of(root, "a.txt") == "unreadable"


@needs_posix
@pytest.mark.parametrize("swapped", ["sub", "sub/b.txt"])
def test_a_part_swapped_for_a_link_after_the_look_is_not_followed(
    root: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "rootless" / "b.txt").write_bytes(b"secret")
    (root.parent / "rootless" / "deep").mkdir()
    locate = contained._locate

    def locate_then_swap(top: Path, name: str) -> tuple[str, list[str]]:
        found = locate(top, name)
        (root / swapped).rename(root.parent / "moved")
        (root / swapped).symlink_to(root.parent / "rootless" / swapped.removeprefix("sub/"))
        if swapped == "sub":
            (root / swapped).unlink()
            (root / swapped).symlink_to(root.parent / "rootless")
        return found

    monkeypatch.setattr(contained, "_locate", locate_then_swap)
    assert kind_of(root, "sub/b.txt") in ("unreadable", "missing")


def test_no_file_stays_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real_open, real_close = os.open, os.close

    def counted_open(*args: object, **kwargs: object) -> int:
        opened.append(real_open(*args, **kwargs))  # type: ignore[arg-type]  # passed through
        return opened[-1]

    def counted_close(file: int) -> None:
        opened.remove(file)
        real_close(file)

    monkeypatch.setattr(os, "open", counted_open)
    monkeypatch.setattr(os, "close", counted_close)
    for name in ("a.txt", "sub/deep/c.txt", "sub", "sub/deep/none", "none/x", "a.txt/x"):
        with contextlib.suppress(ContainmentError):
            read_contained(root, name, 0)
        assert opened == []


def test_folders_resolve(root: Path) -> None:
    top = root.resolve()
    assert resolve_contained(root, ".") == top
    assert resolve_contained(root, "sub") == top / "sub"
    assert resolve_contained(root, "sub/deep/") == top / "sub" / "deep"
    assert resolve_contained(root, "sub/../a.txt") == top / "a.txt"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "missing"),
        ("none", "missing"),
        ("a.txt/", "not-a-file"),
        ("a.txt/x", "missing"),
        ("..", "outside"),
        ("../rootless", "outside"),
        ("/", "outside"),
        ("sub\\deep", "outside"),
    ],
)
def test_folders_elsewhere_do_not_resolve(root: Path, name: str, kind: Kind) -> None:
    with pytest.raises(ContainmentError) as caught:
        resolve_contained(root, name)
    assert caught.value.kind == kind


@needs_posix
def test_a_folder_link_resolves_only_inside(root: Path) -> None:
    (root / "in").symlink_to("sub/deep")
    (root / "out").symlink_to("../rootless")
    assert resolve_contained(root, "in") == root.resolve() / "sub" / "deep"
    with pytest.raises(ContainmentError, match="outside"):
        resolve_contained(root, "out")


def test_the_error_speaks_plainly_and_travels() -> None:
    error = ContainmentError("too-large", "wörter\n.txt")
    assert str(error) == "'w\\xf6rter\\n.txt' is larger than allowed"
    again = pickle.loads(pickle.dumps(error))
    assert (again.kind, again.name, str(again)) == (error.kind, error.name, str(error))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(any_text, st.text(alphabet="ab./\\\0 ~", max_size=12)))
def test_any_name_gets_an_answer(root: Path, name: str) -> None:
    for attempt in (lambda: read_contained(root, name, 8), lambda: resolve_contained(root, name)):
        try:
            found = attempt()
        except ContainmentError:
            continue
        assert found in (b"a", b"bb", b"") or isinstance(found, Path)
