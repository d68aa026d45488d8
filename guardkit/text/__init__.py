"""Views of a text: cleaned, folded, decoded, each with a map back to the original; disguises."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

from ._rare import rare_part
from ._signals import HINTS, LOCAL, SIGN_SETS, TRIGGERS, SignSet
from ._tables import UNICODE_VERSION

if TYPE_CHECKING:
    from ._clean import cleaned
    from ._disguises import (
        CATALOGUE,
        CHAINS,
        DISGUISES,
        FORMS,
        MARKS,
        chain,
        disguise,
        disguised,
        form_of,
    )
    from ._fold import folded
    from ._hidden import hidden_runs
    from ._offsets import Offsets
    from ._script import script_runs
    from ._signals import signals_of
    from ._squeeze import LOOSE_CLASSES
    from ._turn import shuffled_words, turned_words
    from ._view import View
    from ._views import Views, views_of

__all__ = [
    "CATALOGUE",
    "CHAINS",
    "DISGUISES",
    "FORMS",
    "HINTS",
    "LOCAL",
    "LOOSE_CLASSES",
    "MARKS",
    "SIGN_SETS",
    "TRIGGERS",
    "UNICODE_VERSION",
    "Offsets",
    "SignSet",
    "View",
    "Views",
    "chain",
    "cleaned",
    "disguise",
    "disguised",
    "folded",
    "form_of",
    "hidden_runs",
    "rare_part",
    "script_runs",
    "shuffled_words",
    "signals_of",
    "turned_words",
    "views_of",
]

# A policy is compiled without any text being read, and a text is judged without being disguised.
__getattr__ = loader(
    __name__,
    {
        "_clean": ("cleaned",),
        "_disguises": (
            "CATALOGUE",
            "CHAINS",
            "DISGUISES",
            "FORMS",
            "MARKS",
            "chain",
            "disguise",
            "disguised",
            "form_of",
        ),
        "_fold": ("folded",),
        "_hidden": ("hidden_runs",),
        "_offsets": ("Offsets",),
        "_script": ("script_runs",),
        "_signals": ("signals_of",),
        "_squeeze": ("LOOSE_CLASSES",),
        "_turn": ("shuffled_words", "turned_words"),
        "_view": ("View",),
        "_views": ("Views", "views_of"),
    },
)
