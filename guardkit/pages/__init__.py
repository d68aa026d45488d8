"""HTML pages that need nothing else: one file, no script, no font, no network."""

from ._bars import Column, Row, bar, bars
from ._cells import and_more, framed, share_cells, share_heads, share_text, td, th, tr
from ._document import MOST_BYTES, Key, Part, document, headed, keys, notes, share_key
from ._flow import Stopped, flow
from ._heat import heat, heat_cell
from ._spark import scale_end, spark
from ._svg import Spot, drawing, length, line_through, text_at, whisker
from ._words import NO_NAME, NONE, counted, digits, percent, safe, sentence, shown, so_many, spelled

__all__ = [
    "MOST_BYTES",
    "NONE",
    "NO_NAME",
    "Column",
    "Key",
    "Part",
    "Row",
    "Spot",
    "Stopped",
    "and_more",
    "bar",
    "bars",
    "counted",
    "digits",
    "document",
    "drawing",
    "flow",
    "framed",
    "headed",
    "heat",
    "heat_cell",
    "keys",
    "length",
    "line_through",
    "notes",
    "percent",
    "safe",
    "scale_end",
    "sentence",
    "share_cells",
    "share_heads",
    "share_key",
    "share_text",
    "shown",
    "so_many",
    "spark",
    "spelled",
    "td",
    "text_at",
    "th",
    "tr",
    "whisker",
]
