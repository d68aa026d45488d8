"""Properties that mean the same in every kind that takes them."""

from __future__ import annotations

from guardkit.catalog import PropertySpec

LABEL = PropertySpec(
    "label",
    "text",
    "what `{label}` stands for in a rewrite; the check's name in capitals when left out",
)
VIEWS = PropertySpec(
    "views",
    "words",
    "the views of the text to read; all of them when left out",
    choices=("raw", "cleaned", "folded", "all"),
)
DIGEST = PropertySpec(
    "digest", "digest", "the sha256 digest of the model directory; a directory needs one"
)

MAX_CHARS = 4_000_000.0
"""The largest text any size may speak of: what the front door accepts."""
