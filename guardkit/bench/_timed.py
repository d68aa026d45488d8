"""One call to be timed by somebody else, such as pytest-benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from guardkit.guard import Guard
from guardkit.types import Surface, Verdict

from ._asking import Asking
from ._texts import Texts


def timed(
    guard: Guard,
    text: str | Sequence[str],
    *,
    on: Surface = "input",
    context: Mapping[str, object] | None = None,
) -> Callable[[], Verdict]:
    """A function without arguments that judges a text: what pytest-benchmark wants to be given.

    Called again it judges the next text, or the same one with other white space at its end: what a
    model kept of the call before is of no use to it.

    Args:
        guard: The guard.
        text: A text, or several that take turns; on `tool_call` the JSON of its arguments.
        on: The surface.
        context: Facts for `context.…`.

    Example:
        >>> def test_the_guard_is_fast(benchmark):  # doctest: +SKIP
        ...     guard = guardkit.load("policies/shop.guard")
        ...     verdict = benchmark(timed(guard, ["Where is my order?"], on="input"))
        ...     assert verdict.action == "pass"
        ...     assert benchmark.stats["median"] < 0.001
    """
    texts = Texts((text,) if isinstance(text, str) else tuple(text))
    asking = Asking(guard, on, context, is_call=True)

    def judge() -> Verdict:
        verdict = asking.call(asking.ready(texts.next()))
        asking.tidy(verdict)
        return verdict

    return judge
