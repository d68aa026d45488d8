"""Corpora: files of any size judged by one process, by several, or by a cluster; resumable."""

from __future__ import annotations

from ._corpus import SUFFIXES, Corpus, Mark, Source, corpus_of
from ._journal import Totals
from ._judging import UNJUDGED, Asked, Judged, Result
from ._output import OUT_SUFFIXES
from ._recipe import Recipe
from ._run import Crew, Engine, Run, judge_corpus

__all__ = [
    "OUT_SUFFIXES",
    "SUFFIXES",
    "UNJUDGED",
    "Asked",
    "Corpus",
    "Crew",
    "Engine",
    "Judged",
    "Mark",
    "Recipe",
    "Result",
    "Run",
    "Source",
    "Totals",
    "corpus_of",
    "judge_corpus",
]
