"""What a policy costs, as a table for people. The figures themselves are `Costs`, plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._estimate_cost import costs_of, price_of
from ._nodes import Check, Node, Pass, Scan
from ._plan import Budget, Costs, Plan, SurfaceCost

CHUNK_KB = 0.25
"""What one chunk of a stream makes an engine look at: the chunk and what was held back."""


def spell_us(us: float) -> str:
    """A time in three digits or so: `0.5 µs`, `13 µs`, `8.0 ms`, `2.5 s`."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= size * 0.9995:
            return f"{us / size:,.{0 if us >= 99.95 * size else 1}f} {unit}"
    return f"{us:.0f} µs" if us >= 9.95 or us == 0 else f"{us:.1f} µs"


def spell_path(cost: SurfaceCost) -> str:
    """`scan 75 µs → pass mini 8.0 ms`."""
    return " → ".join(f"{step.name} {spell_us(step.us)}" for step in cost.path)


def cost_table(plan: Plan, kilobytes: float = 1.0, width: int = 80) -> str:
    """Per surface: budget, worst, expected, verdict; then each check, dearest first."""
    costs = costs_of(plan, kilobytes)
    lines = [f"{plan.policy}: cost of one event of {kilobytes:g} KB, one core", ""]
    rows = [("surface", "budget", "worst", "expected", "verdict")]
    for surface in costs.surfaces:
        budget, cost = budget_of(plan, surface, kilobytes)
        rows.append(
            (
                surface.surface,
                _budget(budget),
                spell_us(cost.worst_us),
                spell_us(cost.expected_us),
                _verdict(budget, cost),
            )
        )
    lines.extend(_columns(rows, right=(2, 3), width=width))
    for surface in costs.surfaces:
        lines.extend(("", f"{surface.surface}", *_checks(plan, costs, surface, width)))
    if not costs.surfaces:
        lines.append("no rule judges anything")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def budget_of(
    plan: Plan, surface: SurfaceCost, kilobytes: float
) -> tuple[Budget | None, SurfaceCost]:
    """The budget of a surface, and the cost that is held against it: of a chunk, if it says so."""
    budget = plan.limits.budget(surface.surface)
    if budget is None or not budget.per_chunk:
        return budget, surface
    chunk = costs_of(plan, min(CHUNK_KB, kilobytes)).surface(surface.surface)
    return budget, chunk or surface


def _budget(budget: Budget | None) -> str:
    if budget is None:
        return "none"
    return f"{budget.ms} ms" + (" per chunk" if budget.per_chunk else "")


def _verdict(budget: Budget | None, cost: SurfaceCost) -> str:
    if budget is None:
        return "no budget"
    over = cost.worst_us - budget.ms * 1000
    return f"over by {spell_us(over)}" if over > 0 else "within"


def _checks(plan: Plan, costs: Costs, surface: SurfaceCost, width: int) -> Iterator[str]:
    by_node = {cost.node: cost for cost in costs.nodes}
    users: dict[int, int] = {}
    found: list[Node] = []
    for node in plan.nodes:
        if node.surface == surface.surface and isinstance(node.what, Check):
            found.append(node)
            users[node.inputs[0]] = users.get(node.inputs[0], 0) + 1
    rows = [("  check", "kind", "cost", "shared with", "runs")]
    worst = {node.id: price_of(plan, node, costs.kilobytes) for node in found}
    for node in sorted(found, key=lambda n: (-worst[n.id], n.id)):
        what = node.what
        assert isinstance(what, Check)
        rows.append(
            (
                f"  {', '.join(what.names)}",
                what.kind,
                spell_us(worst[node.id]),
                _shared(plan.nodes[node.inputs[0]], users[node.inputs[0]]),
                _rate(by_node[node.id].rate) if node.id in by_node else "",
            )
        )
    if found:
        yield from _columns(rows, right=(2, 4), width=width)
    else:
        yield "  no checks"
    if surface.path:
        yield from _wrapped(f"critical path of {surface.rule}: {spell_path(surface)}", width)


def _shared(group: Node, users: int) -> str:
    match group.what:
        case Scan():
            name = "scan"
        case Pass(encoder):
            name = encoder
        case _:
            return "-"
    if users == 1:
        return f"{name}, alone"
    return f"{name}, {users - 1} other{'s' if users > 2 else ''}"


def _rate(rate: float) -> str:
    if rate >= 0.9995:
        return "always"
    return f"{rate * 100:.1f} %" if rate >= 0.0005 else "< 0.1 %"


# --- text in columns

_LEAST = 8
"""No column of words gets narrower."""


def _columns(rows: Sequence[tuple[str, ...]], right: tuple[int, ...], width: int) -> Iterator[str]:
    """Rows in columns two blanks apart; the widest texts are cut until the width is kept."""
    sizes = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    texts = [i for i in range(len(sizes)) if i not in right]
    while sum(sizes) + 2 * (len(sizes) - 1) > width:
        widest = max(texts, key=lambda i: sizes[i])
        if sizes[widest] <= _LEAST:
            break
        sizes[widest] -= 1
    for row in rows:
        cells = [_cut(cell, size) for cell, size in zip(row, sizes, strict=True)]
        yield "  ".join(
            cell.rjust(size) if i in right else cell.ljust(size)
            for i, (cell, size) in enumerate(zip(cells, sizes, strict=True))
        ).rstrip()


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = " "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > width and line.strip():
            yield line
            line = "   "
        line = f"{line} {word}"
    yield line
