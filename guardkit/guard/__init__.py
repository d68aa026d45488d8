"""The hall where all rooms meet: policies are read, compiled and bound here, and judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader as _loader

from ._compile import (
    CATALOG,
    MAX_DATA_BYTES,
    MAX_POLICY_BYTES,
    Disk,
    ParamValue,
    active_rules,
    compile_file,
    compile_text,
    data_of,
    folder_of,
    installed,
    means_of,
    plan_findings,
    plan_of,
    policy_path,
    read_source,
    shipped,
)

if TYPE_CHECKING:
    from ._case_files import (
        CASE_SUFFIXES,
        BrokenRow,
        Case,
        case_file,
        case_of,
        cases_from,
        cases_in,
        cases_of,
        text_of,
        texts_of,
    )
    from ._guard import Guard
    from ._load import load, loads
    from ._replay import Recorded, Replayed, Shift, ajudged, judged, judged_all, replay
    from ._scan import scan
    from ._unheard import unheard

__all__ = [
    "CASE_SUFFIXES",
    "CATALOG",
    "MAX_DATA_BYTES",
    "MAX_POLICY_BYTES",
    "BrokenRow",
    "Case",
    "Disk",
    "Guard",
    "ParamValue",
    "Recorded",
    "Replayed",
    "Shift",
    "active_rules",
    "ajudged",
    "case_file",
    "case_of",
    "cases_from",
    "cases_in",
    "cases_of",
    "compile_file",
    "compile_text",
    "data_of",
    "folder_of",
    "installed",
    "judged",
    "judged_all",
    "load",
    "loads",
    "means_of",
    "plan_findings",
    "plan_of",
    "policy_path",
    "read_source",
    "replay",
    "scan",
    "shipped",
    "text_of",
    "texts_of",
    "unheard",
]

# Compiling needs no engine: what runs a policy is loaded when it is first asked for.
__getattr__ = _loader(
    __name__,
    {
        "_case_files": (
            "CASE_SUFFIXES",
            "BrokenRow",
            "Case",
            "case_file",
            "case_of",
            "cases_from",
            "cases_in",
            "cases_of",
            "text_of",
            "texts_of",
        ),
        "_guard": ("Guard",),
        "_load": ("load", "loads"),
        "_replay": ("Recorded", "Replayed", "Shift", "ajudged", "judged", "judged_all", "replay"),
        "_scan": ("scan",),
        "_unheard": ("unheard",),
    },
)
