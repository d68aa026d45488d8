"""Recipes: what goes to another machine makes the same guard there, or none."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import guardkit
from guardkit.batch import Recipe
from guardkit.errors import BindError, PolicyError
from guardkit.guard import installed

from ..packs._kit import MEANS, TODAY, example, store
from ..packs._kit import POLICY as SHOP
from ._corpora import POLICY, policy


def there(recipe: Recipe, digest: str, monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> object:
    """The guard that a process makes of it whose working folder is another one."""
    sent: Recipe = pickle.loads(pickle.dumps(recipe.sent()))
    monkeypatch.chdir(elsewhere)
    return sent.made(digest)


def test_the_same_guard_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    policy(tmp_path)
    (tmp_path / "part.toml").write_text(
        '[rules]\nmask_cards = "shadow"\n[weaken]\nallow = ["mask_cards"]\n'
    )
    guard = guardkit.load("mail.guard", overlay="part.toml")
    recipe = Recipe("mail.guard", overlay=Path("part.toml"))
    assert there(recipe, guard.digest, monkeypatch, tmp_path / "there") is not None


def test_a_policy_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = guardkit.load("starter").digest
    assert there(Recipe("starter"), digest, monkeypatch, tmp_path) is not None


def test_packs_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "shop.guard"
    path.write_text(SHOP)
    kept = store(tmp_path / "store")
    kept.add(example(), MEANS, today=TODAY)
    guard = guardkit.load(path, packs=tmp_path / "store", today=lambda: TODAY)
    recipe = Recipe(str(path), packs=installed(kept.folder, TODAY))
    assert "files" not in repr(recipe)
    assert there(recipe, guard.digest, monkeypatch, tmp_path) is not None
    with pytest.raises(BindError, match="another one than here"):
        Recipe(str(path)).made(guard.digest)


def test_another_policy_there(tmp_path: Path) -> None:
    path = policy(tmp_path)
    digest = guardkit.load(path).digest
    path.write_text(POLICY.replace("hello", "goodbye"))
    with pytest.raises(BindError, match="another one than here"):
        Recipe(str(path)).made(digest)
    path.write_text("guardkit 1\npolicy p\nrule r {")
    with pytest.raises(PolicyError):
        Recipe(str(path)).made(digest)
