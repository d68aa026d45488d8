"""No edit of an audit log goes unnoticed, and the first record that is not its own is named."""

from __future__ import annotations

import io
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from guardkit.errors import AuditError, UsageError
from guardkit.telemetry import Audit, export, verify

from ._logs import KEY, PASSED, edited, filled, hash_of, rows_of, seal_of

COUNT = 24

Edit = Callable[[sqlite3.Connection, random.Random, bool], int]
"""Changes a log of COUNT records; the number that has to be named. Gets whether it has a key."""


def get(db: sqlite3.Connection, number: int) -> tuple[bytes, bytes]:
    found: tuple[bytes, bytes] = db.execute(
        "SELECT body, hash FROM record WHERE number = ?", (number,)
    ).fetchone()
    return found


def put(db: sqlite3.Connection, number: int, body: bytes, hash: bytes) -> None:
    db.execute("UPDATE record SET body = ?, hash = ? WHERE number = ?", (body, hash, number))


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def move_up(db: sqlite3.Connection, number: int) -> None:
    """Make room for a record."""
    for other in range(COUNT, number - 1, -1):
        db.execute("UPDATE record SET number = ? WHERE number = ?", (other + 1, other))


def flip_body(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    body, hash = get(db, number)
    put(db, number, flipped(body, rng), hash)
    return number


def flip_hash(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    body, hash = get(db, number)
    put(db, number, body, flipped(hash, rng))
    return number


def lengthen(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    body, hash = get(db, number)
    put(db, number, rng.choice([body + b" ", body[:-1], b"", bytes(600_000)]), hash)
    return number


def as_text(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    db.execute("UPDATE record SET body = CAST(body AS TEXT) WHERE number = ?", (number,))
    return number


def change_carefully(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    """With a hash that fits what is before it; then it is the next record that does not follow."""
    number = rng.randint(1, COUNT)
    body = flipped(get(db, number)[0], rng)
    put(db, number, body, hash_of(get(db, number - 1)[1], number, body))
    return number if is_keyed else number + 1


def drop(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    last = rng.randint(number, COUNT)
    db.execute("DELETE FROM record WHERE number BETWEEN ? AND ?", (number, last))
    return number


def drop_and_close_the_gap(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(1, COUNT)
    db.execute("DELETE FROM record WHERE number = ?", (number,))
    for other in range(number + 1, COUNT + 1):
        db.execute("UPDATE record SET number = ? WHERE number = ?", (other - 1, other))
    return number


def swap(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    first, second = sorted(rng.sample(range(COUNT + 1), 2))
    one, other = get(db, first), get(db, second)
    with_hashes = rng.random() < 0.5
    put(db, first, other[0], other[1] if with_hashes else one[1])
    put(db, second, one[0], one[1] if with_hashes else other[1])
    return first


def insert(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(1, COUNT + 1)
    body, hash = get(db, rng.randint(1, COUNT))
    if number <= COUNT:
        move_up(db, number)
    db.execute("INSERT INTO record VALUES (?, ?, ?)", (number, body, flipped(hash, rng)))
    return number


def insert_carefully(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(1, COUNT)
    body, _ = get(db, rng.randint(1, COUNT))
    move_up(db, number)
    hash = hash_of(get(db, number - 1)[1], number, body)
    db.execute("INSERT INTO record VALUES (?, ?, ?)", (number, body, hash))
    return number if is_keyed else number + 1


def append(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    """Behind the last one, where its hash fits, but the head does not know it."""
    body, last = get(db, COUNT)
    hash = hash_of(last, COUNT + 1, body)
    db.execute("INSERT INTO record VALUES (?, ?, ?)", (COUNT + 1, body, hash))
    return COUNT + 1


def renumber(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    number = rng.randint(0, COUNT)
    other = rng.choice([-1, -(1 << 63), COUNT + 7, (1 << 63) - 1])
    db.execute("UPDATE record SET number = ? WHERE number = ?", (other, number))
    # One that came before the opening stands in its place.
    return 0 if other < 0 else number


def change_the_head(db: sqlite3.Connection, rng: random.Random, is_keyed: bool) -> int:
    count, hash, seal = db.execute("SELECT count, hash, seal FROM head").fetchone()
    match rng.randrange(5):
        case 0:
            count = rng.choice([count - 1, count + 1, -1, (1 << 63) - 1])
        case 1:
            hash = flipped(hash, rng)
        case 2:
            seal = flipped(seal, rng)
        case 3:
            count, hash, seal = str(count), "", ""
        case _:
            db.execute("DELETE FROM head")
    db.execute("UPDATE head SET count = ?, hash = ?, seal = ?", (count, hash, seal))
    return COUNT + 1


EDITS = (
    flip_body,
    flip_hash,
    lengthen,
    as_text,
    change_carefully,
    drop,
    drop_and_close_the_gap,
    swap,
    insert,
    insert_carefully,
    append,
    renumber,
    change_the_head,
)


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "keyed"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that nobody touched; whether it has a key is in its name."""
    name = "plain.db" if request.param is None else "keyed.db"
    path: Path = tmp_path_factory.mktemp("logs") / name
    filled(path, COUNT, request.param)
    assert verify(path, key=request.param).count == COUNT
    return path


def key_of(path: Path) -> bytes | None:
    return KEY if path.name == "keyed.db" else None


def tried(whole: Path, folder: Path, trials: range) -> None:
    """One edit for each seed, its kind included; it is called for two logs."""
    key = key_of(whole)
    path = folder / "edited.db"
    for seed in trials:
        rng = random.Random(seed)
        edit = EDITS[seed % len(EDITS)]
        shutil.copy(whole, path)
        with edited(path) as db:
            expected = edit(db, rng, key is not None)
        report = verify(path, key=key)
        assert report.bad == expected, (edit.__name__, seed, report)
        assert report.why
        assert not report.is_whole
        assert report.count <= COUNT + 1


def test_every_edit_is_found_and_the_first_bad_record_named(whole: Path, tmp_path: Path) -> None:
    tried(whole, tmp_path, range(500))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_every_edit_of_ten_thousand_is_found(whole: Path, tmp_path: Path) -> None:
    tried(whole, tmp_path, range(500, 5_500))


def test_every_byte_of_every_record_counts(whole: Path, tmp_path: Path) -> None:
    raw = whole.read_bytes()
    path = tmp_path / "edited.db"
    rng = random.Random(7)
    for number, body, hash in rows_of(whole):
        for part in (body, hash):
            assert raw.count(part) >= 1
            at = raw.index(part) + rng.randrange(len(part))
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :])
            report = verify(path, key=key_of(whole))
            # The last hash lies in the head, too, and either of the two may have been hit.
            assert report.bad == number or (part == hash and number == COUNT), report


def exported(path: Path, key: bytes | None) -> str:
    out = io.StringIO()
    export(path, out, key=key)
    return out.getvalue()


def test_a_flip_anywhere_in_the_file_is_found_or_changes_nothing(
    whole: Path, tmp_path: Path
) -> None:
    raw = whole.read_bytes()
    key = key_of(whole)
    before = exported(whole, key)
    path = tmp_path / "edited.db"
    rng = random.Random(11)
    found = 0
    for _ in range(400):
        path.write_bytes(flipped(raw, rng))
        try:
            report = verify(path, key=key)
        except AuditError:
            found += 1
            continue
        if report.is_whole:
            assert exported(path, key) == before
        else:
            found += 1
            if "tables" not in report.why:
                assert exported(path, key) != before
    assert found > 100


def test_a_file_that_was_cut_says_how_much_is_whole(whole: Path, tmp_path: Path) -> None:
    raw = whole.read_bytes()
    path = tmp_path / "cut.db"
    rng = random.Random(13)
    counts = set()
    unread = 0
    rows = rows_of(whole)
    for size in [*(rng.randrange(len(raw)) for _ in range(60)), *range(0, len(raw), 4096)]:
        path.write_bytes(raw[:size])
        try:
            report = verify(path, key=key_of(whole))
        except AuditError:
            unread += 1
            continue
        assert report.bad is not None
        counts.add(report.count)
        if report.head:
            assert report.head == f"{report.count}:{rows[report.count][2].hex()}"
    assert max(counts) > 10
    assert unread < 5  # so short that nobody can say what it was


# --- what takes a key or a head


def rewritten(path: Path, first: int, last: int) -> None:
    """Leave out the record `first` and write all that follow anew, as whoever has no key can."""
    rows = rows_of(path)
    kept = [row for row in rows if row[0] != first][: last + 1]
    with edited(path) as db:
        db.execute("DELETE FROM record")
        previous = bytes(32)
        for number, (_, body, hash) in enumerate(kept):
            previous = hash if number < first else hash_of(previous, number, body)
            db.execute("INSERT INTO record VALUES (?, ?, ?)", (number, body, previous))
        count = len(kept) - 1
        db.execute(
            "UPDATE head SET count = ?, hash = ?, seal = ?",
            (count, previous, seal_of(count, previous)),
        )


def test_a_log_written_anew_is_found_by_its_key(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    rewritten(path, 9, COUNT)
    report = verify(path, key=key_of(whole))
    assert report.bad == (9 if key_of(whole) else None)


def test_last_records_that_are_gone_are_found_by_a_key(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    rewritten(path, COUNT + 1, COUNT - 3)
    report = verify(path, key=key_of(whole))
    assert report.count == COUNT - 3
    assert report.bad == (COUNT - 2 if key_of(whole) else None)


def test_a_head_that_was_kept_finds_a_log_written_anew(whole: Path, tmp_path: Path) -> None:
    key = key_of(whole)
    head = verify(whole, key=key).head
    number, hash = head.split(":")
    assert number == str(COUNT)
    for given in (head, hash, head.upper()):
        assert verify(whole, key=key, head=given).is_whole
    grown = tmp_path / whole.name
    shutil.copy(whole, grown)
    with Audit(grown, key=key) as audit:
        assert audit.record(PASSED) == COUNT + 1
    assert verify(grown, key=key, head=head).is_whole
    wrong = f"{COUNT - 1}:{hash}"
    assert verify(grown, key=key, head=wrong).bad == COUNT - 1
    if key is not None:
        return
    anew, cut = tmp_path / "anew.db", tmp_path / "cut.db"
    for path, first, last in ((anew, 9, COUNT - 1), (cut, COUNT + 1, COUNT - 3)):
        shutil.copy(whole, path)
        rewritten(path, first, last)
        assert verify(path).is_whole
        assert not verify(path, head=head).is_whole
        assert not verify(path, head=hash).is_whole
    assert verify(cut, head=head).bad == COUNT - 2


@pytest.mark.parametrize("head", ["", "12", "abc", "x" * 64, "1:2:" + "0" * 64])
def test_a_head_that_is_none_is_refused(whole: Path, head: str) -> None:
    with pytest.raises(UsageError, match="head"):
        verify(whole, key=key_of(whole), head=head)


def test_a_key_is_needed_and_has_to_be_the_right_one(whole: Path) -> None:
    if key_of(whole) is None:
        report = verify(whole, key=KEY)
        assert report.bad == 0
        with pytest.raises(AuditError, match="another key"):
            Audit(whole, key=KEY)
        return
    with pytest.raises(AuditError, match="key"):
        verify(whole)
    with pytest.raises(AuditError, match="key"):
        Audit(whole)
    report = verify(whole, key=b"another key of some length")
    assert (report.bad, report.count) == (0, 0)
    with pytest.raises(UsageError, match="16 bytes"):
        verify(whole, key=b"short")
    with pytest.raises(UsageError, match="16 bytes"):
        Audit(whole, key="a text is no key, however long")  # type: ignore[arg-type]


# --- nothing is added to a log that was changed


@pytest.mark.parametrize(
    "edit", [e for e in EDITS if e not in (renumber, lengthen)], ids=lambda e: e.__name__
)
def test_a_log_whose_end_was_changed_takes_nothing(whole: Path, tmp_path: Path, edit: Edit) -> None:
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    with edited(path) as db:
        edit(db, random.Random(5), key_of(whole) is not None)
    before = path.read_bytes()
    with pytest.raises(AuditError, match="not as it was written, at record"):
        Audit(path, key=key_of(whole))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END",
        "CREATE VIEW v AS SELECT * FROM record",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON record (hash)",
    ],
)
def test_tables_that_were_changed_are_found(whole: Path, tmp_path: Path, statement: str) -> None:
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    with edited(path) as db:
        db.execute(statement)
    report = verify(path, key=key_of(whole))
    assert (report.bad, report.count) == (0, 0)
    assert "tables" in report.why
    with pytest.raises(AuditError, match="tables"):
        Audit(path, key=key_of(whole))


def test_a_log_changed_while_it_is_open_takes_nothing(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / whole.name
    shutil.copy(whole, path)
    with Audit(path, key=key_of(whole)) as audit:
        assert audit.record(PASSED) == COUNT + 1
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE head SET count = count - 1")
            db.commit()
        with pytest.raises(AuditError, match="not as it was written"):
            audit.record(PASSED)
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE head SET count = count + 1")
            db.commit()
        assert audit.record(PASSED) == COUNT + 2
    assert verify(path, key=key_of(whole)).count == COUNT + 2
