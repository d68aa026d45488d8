"""Labelled texts become models: heads on the static tier, tuned encoders, the shipped tiers."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._bag import Size
    from ._draft import Trained, plain_name
    from ._figures import Figures, Judged, Line, Threshold, figures
    from ._make_tiers import make_tiers
    from ._measure import Measured
    from ._recipe import recipe_rows
    from ._rows import REST, SURFACES, Labelled, Row, read_labelled, read_rows, write_rows
    from ._target import Target
    from ._train_encoder import train_encoder
    from ._train_head import target_of, train_head

__all__ = [
    "REST",
    "SURFACES",
    "Figures",
    "Judged",
    "Labelled",
    "Line",
    "Measured",
    "Row",
    "Size",
    "Target",
    "Threshold",
    "Trained",
    "figures",
    "make_tiers",
    "plain_name",
    "read_labelled",
    "read_rows",
    "recipe_rows",
    "target_of",
    "train_encoder",
    "train_head",
    "write_rows",
]

# The command line names what it will train with before anything heavy is loaded.
__getattr__ = loader(
    __name__,
    {
        "_bag": ("Size",),
        "_draft": ("Trained", "plain_name"),
        "_figures": ("Figures", "Judged", "Line", "Threshold", "figures"),
        "_make_tiers": ("make_tiers",),
        "_measure": ("Measured",),
        "_recipe": ("recipe_rows",),
        "_rows": (
            "REST",
            "SURFACES",
            "Labelled",
            "Row",
            "read_labelled",
            "read_rows",
            "write_rows",
        ),
        "_target": ("Target",),
        "_train_encoder": ("train_encoder",),
        "_train_head": ("target_of", "train_head"),
    },
)
