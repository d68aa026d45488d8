"""What the readers among the checks share: which views to read, and what becomes of the matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guardkit.catalog import Hit, Subject, Viewed


def chosen_views(config: Mapping[str, object]) -> frozenset[str]:
    """The views a check with these settings reads; all of them when it does not say."""
    views = config.get("views")
    named = frozenset(map(str, views)) if isinstance(views, tuple) else frozenset()
    return named or frozenset({"all"})


def views_to_read(subject: Subject, chosen: frozenset[str]) -> tuple[Viewed, ...]:
    """The views of a text among those chosen. A view nobody had to derive is the original."""
    views = subject.views()
    if "all" in chosen:
        return views
    derived = {view.name for view in views[1:]}
    first = views[:1] if "raw" in chosen or chosen - derived - {"raw"} else ()
    return (*first, *(view for view in views[1:] if view.name in chosen))


def outermost(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Sorted by place; what lies inside another is left out."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if not kept or hit.end > kept[-1].end:
            kept.append(hit)
    return tuple(kept)


def united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, and what overlaps in one piece."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return kept
