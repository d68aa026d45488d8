"""The recipe from end to end, on a pack and with weights that are small and made up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import BindError, UsageError
from guardkit.models import opened, verify
from guardkit.train import _recipe as recipe
from guardkit.train import make_tiers

from . import _small as small

pytestmark = pytest.mark.timeout(300)  # loading torch takes a minute where cores are few

SOURCES = ("swisskyrepo/PayloadsAllTheThings", *sorted(recipe.POOL)[:2], *sorted(recipe.HELD)[:2])
KINDS = {"injection": "question", "harm": "plain", "toxicity": "hateful", "refusal": "full"}


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file of the pack, each source with texts of both labels."""
    small.need_torch()
    monkeypatch.setattr(recipe, "SEEDS", tmp_path / "none")
    folder = tmp_path / "pack"
    folder.mkdir()
    for number, name in enumerate((*KINDS, "longform")):
        lines: list[dict[str, Any]] = []
        for at, row in enumerate(small.rows(150, seed=number)):
            label = 0 if name == "longform" else row.truth["attack"]
            meta = {"kind": KINDS.get(name, "essay"), "category": "fraud"}
            if name == "refusal" and at % 4 == 1:
                meta["kind"] = "partial"
            source = SOURCES[at // 2 % len(SOURCES)]
            said = {"text": f"{row.text} {name}", "label": label, "source": source}
            lines.append({**said, "license": "CC0-1.0", "meta": meta})
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(map(json.dumps, lines)))
    return folder


def test_both_tiers_are_made_and_read(pack: Path, tmp_path: Path) -> None:
    told: list[str] = []
    weights = small.encoder_file(tmp_path / "start")
    tiers = make_tiers(
        pack, tmp_path / "tiers", weights=weights, minutes=0.02, steps=20, device="cpu",
        told=lambda what, _: told.append(what),
    )  # fmt: skip
    assert [tier.folder.name for tier in tiers] == ["static", "mini"]
    for tier in tiers:
        assert verify(tier.folder, tier.digest) == ()
        assert [head.name for head in tier.manifest.heads] == [t.name for t in recipe.TARGETS]
        card: Any = tier.manifest.card
        trained = {one["source"] for one in card["trained_on"]["sources"]}
        assert trained == {SOURCES[0], "guardkit-planted"}
        licences = {one["source"]: one["licence"] for one in card["trained_on"]["sources"]}
        assert licences[SOURCES[0]] == "CC0-1.0"
        assert set(card["figures"]["injection"]) >= {"pool", "threshold", "sources"}
        assert opened(tier.folder).manifest.embedding is not None
    static = opened(tiers[0].folder)
    assert static.vectors("please open the window").shape == (1, 48)
    assert told[0] == "static: what each token says"
    assert told[-1] == "mini: reading what is held out"
    with pytest.raises(BindError, match="is there already"):
        make_tiers(pack, tmp_path / "tiers", weights=weights)


def test_a_pack_that_is_not_whole_is_refused(pack: Path, tmp_path: Path) -> None:
    (pack / "harm.jsonl.gz").unlink()
    weights = small.encoder_file(tmp_path / "start")
    with pytest.raises(UsageError, match=r"the pack has no `harm\.jsonl\.gz`"):
        make_tiers(pack, tmp_path / "tiers", weights=weights)
