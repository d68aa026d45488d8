"""The columns that `Judge` adds to a batch, in every form that Ray hands one over. Needs no Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import PolicyError, UsageError
from guardkit.integrations.ray import COLUMNS, Judge

from ._tools import POLICY, WITH_MEMORY

TEXTS = ["good day", "FORBIDDEN", "see NB-1234", None, 7]
ACTIONS = ["pass", "block", "rewrite", "error", "error"]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "shop.guard"
    path.write_text(POLICY, encoding="utf-8")
    return path


def test_a_dictionary_of_columns(policy: Path) -> None:
    given = {"text": TEXTS, "n": [1, 2, 3, 4, 5]}
    made = Judge(str(policy))(given)
    assert list(made) == ["text", "n", *(f"guard_{name}" for name in COLUMNS)]
    assert made["guard_action"] == ACTIONS
    assert made["n"] is given["n"]
    assert json.loads(made["guard_fired"][1]) == ["stop"]
    (found,) = json.loads(made["guard_findings"][2])
    assert (found["label"], found["start"], found["end"]) == ("ORDER", 4, 11)
    assert made["guard_error"][3:] == ["it is no text"] * 2
    assert all(took > 0 for took in made["guard_elapsed_us"][:3])
    assert "FORBIDDEN" not in str({k: v for k, v in made.items() if k.startswith("guard_")})


def test_arrays_of_numpy(policy: Path) -> None:
    np = pytest.importorskip("numpy")
    made = Judge(policy, column="body", prefix="", show_text=True)(
        {"body": np.array(TEXTS, dtype=object)}
    )
    assert made["action"] == ACTIONS
    assert made["text"][:3] == ["good day", "Not here.", "see [ORDER]"]


def test_a_table_of_pyarrow(policy: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    made = Judge(policy)(pa.table({"text": pa.array(TEXTS[:4], pa.string())}))
    assert made.column("guard_action").to_pylist() == ACTIONS[:4]
    assert made.schema.field("guard_elapsed_us").type == pa.float64()
    assert made.schema.field("guard_error").type == pa.string()
    empty = Judge(policy)(pa.table({"text": pa.array([], pa.string())}))
    assert (empty.num_rows, empty.schema) == (0, made.schema)


def test_facts_and_parameters_reach_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "p.guard"
    path.write_text(
        'guardkit 1\npolicy p\nparam bad: list of text = ["x"]\n'
        "check found = words { list bad }\n"
        'rule r { tier safety on output when found unless context.user.role == "staff"'
        ' then block "No." }\n'
    )
    batch: dict[str, list[Any]] = {"text": ["a word"]}
    options: dict[str, Any] = {"params": {"bad": ["word"]}, "on": "output"}
    assert Judge(path, **options)(batch)["guard_action"] == ["block"]
    staff = Judge(path, context={"user": {"role": "staff"}}, **options)
    assert staff(batch)["guard_action"] == ["pass"]


def test_every_row_is_a_session_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "p.guard"
    path.write_text(WITH_MEMORY)
    made = Judge(path)({"text": ["FORBIDDEN"] * 5})
    assert made["guard_fired"] == ['["stop"]'] * 5


def test_a_batch_that_does_not_do(policy: Path) -> None:
    judge = Judge(policy)
    with pytest.raises(UsageError, match="has no column `text`"):
        judge({"body": ["x"]})
    with pytest.raises(UsageError, match="has a column `guard_action`"):
        judge({"text": ["x"], "guard_action": ["y"]})
    with pytest.raises(UsageError, match="a batch of type list"):
        judge(["x"])


def test_a_policy_that_is_wrong_is_said_when_the_actor_begins(policy: Path) -> None:
    policy.write_text(POLICY.replace("when bad", "when bat"))
    with pytest.raises(PolicyError):
        Judge(policy)
