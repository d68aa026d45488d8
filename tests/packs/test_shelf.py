"""Files of bundles are read in memory, shipped modules where they lie, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardkit import packs
from guardkit.errors import PolicyError
from guardkit.guard import loads, means_of
from guardkit.testing import run_tests

from ._kit import EXPIRES, ISSUED, MEANS, POLICY, TODAY, key, pem, signed_bytes

MAIN = """\
guardkit 1
module deep
  version "1"

use "./parts/words.guard" version "1" as parts
{more}
rule stop {{
  tier safety
  on   input
  when parts.bad{also}
  then block "No."
}}

test "fires" {{
  input  "a crooked spoon"
  expect block by stop
}}

test "silent" {{
  input  "a straight spoon"
  expect pass
}}
"""
PART = """\
guardkit 1
module words
  version "1"

check bad = words {{
  file "{file}"
}}
"""


def deep(place: Path, file: str = "../data/bad.txt", more: str = "", also: str = "") -> Path:
    for folder in ("parts", "data"):
        (place / folder).mkdir(parents=True)
    (place / "deep.guard").write_text(MAIN.format(more=more, also=also))
    (place / "parts" / "words.guard").write_text(PART.format(file=file))
    (place / "data" / "bad.txt").write_text("crooked spoon\n")
    return place


def build(place: Path, means: packs.Means = MEANS) -> packs.Bundle:
    return packs.build(place, means, issued=ISSUED, expires=EXPIRES)


def test_modules_and_data_of_a_pack_lie_in_it(tmp_path: Path) -> None:
    bundle = build(deep(tmp_path / "deep"))
    store = packs.Store.create(tmp_path / "store")
    store.trust(pem(1)[1], "key")
    store.add(signed_bytes(bundle), MEANS, today=TODAY)
    store.enforce("deep", today=TODAY)
    # Nothing of the folder it was built of is needed, nor is anything unpacked.
    for path in sorted((tmp_path / "deep").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    guard = loads(POLICY, packs=store.folder, today=lambda: TODAY)
    verdict = guard.check("the crooked spoon")
    assert verdict.fired == ("deep.stop",)
    assert verdict.findings[0].check == "deep.parts.bad"
    files = {path.name for path in store.folder.rglob("*") if path.is_file()}
    assert files == {".lock", "deep-1.gkb", f"{key().public.id[8:]}.pub", "state.json"}


@pytest.mark.parametrize(
    "file",
    [
        "../../secret.txt",
        "../../../../../../etc/hostname",
        "/etc/hostname",
        "..\\data\\bad.txt",
        "pack:deep/data/bad.txt",
        "std:deep/data/bad.txt",
        "../data",
        "../data/missing.txt",
        "../data/bad.txt/",
    ],
)
def test_nothing_outside_a_pack_is_read(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.txt").write_text("crooked spoon\n")
    place = deep(tmp_path / "deep", file.replace("\\", "\\\\"))
    if file == "../data/bad.txt/":
        assert build(place)  # the same file, as on a disk
        return
    with pytest.raises(PolicyError) as caught:
        build(place)
    assert {one.code.slug for one in caught.value.diagnostics if one.is_error} <= {
        "path-outside-root",
        "missing-file",
        "bad-text",
    }


@pytest.mark.parametrize("name", ["../other.guard", "./../../x.guard", "pack/deep", "./gone.guard"])
def test_no_module_outside_a_pack_is_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "other.guard").write_text(PART.format(file="x"))
    place = deep(tmp_path / "deep", more=f'use "{name}" version "1" as other')
    with pytest.raises(PolicyError):
        build(place)


def test_a_pack_may_rest_on_shipped_modules_and_says_on_which(tmp_path: Path) -> None:
    std = tmp_path / "std"
    (std / "cutlery").mkdir(parents=True)
    module = std / "cutlery" / "cutlery.guard"
    module.write_text(
        'guardkit 1\nmodule cutlery\n  version "1"\n\ncheck forks = words { file "forks.txt" }\n'
    )
    (std / "cutlery" / "forks.txt").write_text("bent fork\n")
    means = means_of(run_tests, std=std)
    use = 'use "std/cutlery" version "1" as cutlery'
    bundle = build(deep(tmp_path / "deep", more=use, also=" or cutlery.forks"), means)
    assert [path for path, _ in bundle.manifest.std] == [
        "std:cutlery/cutlery.guard",
        "std:cutlery/forks.txt",
    ]
    assert packs.changed_since(bundle.manifest, means.read) == ()
    (std / "cutlery" / "forks.txt").write_text("bent fork\nbent knife\n")
    assert packs.changed_since(bundle.manifest, means.read) == ("std:cutlery/forks.txt",)
    module.unlink()
    assert packs.changed_since(bundle.manifest, means.read) == (
        "std:cutlery/cutlery.guard",
        "std:cutlery/forks.txt",
    )


def test_unpacking_writes_all_or_nothing(tmp_path: Path) -> None:
    bundle = build(deep(tmp_path / "deep"))
    packs.unpack(bundle, tmp_path / "out")
    assert packs.to_bytes(build(tmp_path / "out")) == packs.to_bytes(bundle)
    with pytest.raises(packs.BundleError.__mro__[1], match="there already"):
        packs.unpack(bundle, tmp_path / "out")
    with pytest.raises(packs.BundleError.__mro__[1], match="cannot be written"):
        packs.unpack(bundle, tmp_path / "none" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "out"]
