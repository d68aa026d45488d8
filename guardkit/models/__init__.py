"""Model directories: what they say of themselves, whether they are whole, and reading with them."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

from ._reading import Reading, Span

if TYPE_CHECKING:
    from ._calibrate import (
        Calibrated,
        Labelled,
        calibrate,
    )
    from ._calibration import (
        evidence_of,
        read_heads,
        score_of,
        scores_of,
        z_of,
    )
    from ._fit import (
        Fitted,
        Seen,
        auc_of,
        fit,
    )
    from ._import_model import (
        TASKS,
        Imported,
        Task,
        Wanted,
        import_model,
    )
    from ._languages import (
        LANGUAGE_BITS,
        Languages,
        read_languages,
        rows_of_words,
        script_of,
    )
    from ._lexicon import FACTS, MOST_WORDS, WORD, pair_of, parts_of
    from ._manifest import (
        MANIFEST,
        Embedding,
        Head,
        Manifest,
        Tokens,
        Window,
        manifest_of,
    )
    from ._onnx import OnnxModel
    from ._onnx_file import OnnxFile, read_onnx
    from ._opened import DEVICES, opened
    from ._product import product
    from ._read_all import Readable, read_all
    from ._static import BLOCK, SURFACE_COLUMNS, WINDOWS, StaticModel
    from ._store import (
        TIERS,
        Opened,
        digest_of,
        read_manifest,
        read_verified,
        replace_manifest,
        shipped,
        verify,
        write_model,
    )

__all__ = [
    "BLOCK",
    "DEVICES",
    "FACTS",
    "LANGUAGE_BITS",
    "MANIFEST",
    "MOST_WORDS",
    "SURFACE_COLUMNS",
    "TASKS",
    "TIERS",
    "WINDOWS",
    "WORD",
    "Calibrated",
    "Embedding",
    "Fitted",
    "Head",
    "Imported",
    "Labelled",
    "Languages",
    "Manifest",
    "OnnxFile",
    "OnnxModel",
    "Opened",
    "Readable",
    "Reading",
    "Seen",
    "Span",
    "StaticModel",
    "Task",
    "Tokens",
    "Wanted",
    "Window",
    "auc_of",
    "calibrate",
    "digest_of",
    "evidence_of",
    "fit",
    "import_model",
    "manifest_of",
    "opened",
    "pair_of",
    "parts_of",
    "product",
    "read_all",
    "read_heads",
    "read_languages",
    "read_manifest",
    "read_onnx",
    "read_verified",
    "replace_manifest",
    "rows_of_words",
    "score_of",
    "scores_of",
    "script_of",
    "shipped",
    "verify",
    "write_model",
    "z_of",
]

# A policy is checked without a model: neither pydantic nor numpy is loaded for it.
__getattr__ = loader(
    __name__,
    {
        "_calibrate": (
            "Calibrated",
            "Labelled",
            "calibrate",
        ),
        "_calibration": (
            "evidence_of",
            "read_heads",
            "score_of",
            "scores_of",
            "z_of",
        ),
        "_fit": (
            "Fitted",
            "Seen",
            "auc_of",
            "fit",
        ),
        "_import_model": (
            "TASKS",
            "Imported",
            "Task",
            "Wanted",
            "import_model",
        ),
        "_manifest": (
            "MANIFEST",
            "Embedding",
            "Head",
            "Manifest",
            "Tokens",
            "Window",
            "manifest_of",
        ),
        "_languages": (
            "LANGUAGE_BITS",
            "Languages",
            "read_languages",
            "rows_of_words",
            "script_of",
        ),
        "_lexicon": ("FACTS", "MOST_WORDS", "WORD", "pair_of", "parts_of"),
        "_onnx": ("OnnxModel",),
        "_onnx_file": ("OnnxFile", "read_onnx"),
        "_opened": ("DEVICES", "opened"),
        "_product": ("product",),
        "_read_all": ("Readable", "read_all"),
        "_static": ("BLOCK", "SURFACE_COLUMNS", "WINDOWS", "StaticModel"),
        "_store": (
            "TIERS",
            "Opened",
            "digest_of",
            "read_manifest",
            "read_verified",
            "replace_manifest",
            "shipped",
            "verify",
            "write_model",
        ),
    },
)
