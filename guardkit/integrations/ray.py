"""Ray Data: verdicts as columns beside your own, in a pipeline that is yours.

```python
judged = ds.map_batches(Judge, fn_constructor_args=["policy.guard"], concurrency=2)
```

Ray makes one `Judge` for each actor, so a policy is compiled and its models are loaded once for
each. `guardkit scan --engine ray` is another thing: whole files, in order, resumable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from guardkit.errors import UsageError
from guardkit.guard import Guard, ParamValue, judged_all, load
from guardkit.types import Surface, Verdict

COLUMNS: Final = ("action", "fired", "findings", "unknown", "elapsed_us", "error")
"""What is added, each with the prefix before it; `text` comes where texts are asked for."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str = field(repr=False)
    on: Surface
    context: Mapping[str, object] | None = field(default=None, repr=False)
    session: str | None = None
    tool: str | None = None


class Judge:
    """Judges a column of every batch and adds what came of it; for `map_batches`.

    It takes batches as dictionaries of arrays, as tables of pyarrow and as frames of pandas, and
    gives back what it took. `fired`, `findings` and `unknown` are JSON, as lists differ from one
    form to another. A row whose column holds no text is not judged: its action is `error`.

    Every row stands for itself: a policy that remembers sessions sees each as a session of its own.

    Args:
        policy: A path that each machine has, or the name of a policy that ships.
        column: The column that has the text.
        on: The surface of the texts.
        context: Facts for `context.…`.
        params: Values for the policy's parameters.
        packs: A pack store.
        overlay: The overlay of the deployment.
        device: Where models run: `auto`, `cpu` or `gpu`.
        prefix: What the names of added columns begin with.
        show_text: Add what may be delivered, as column `text`.

    Raises:
        PolicyError: The policy is wrong.
        BindError: The machine cannot run it.

    Example:
        >>> judge = Judge("starter", prefix="")
        >>> judge({"text": ["hello"]})["action"]
        ['pass']
    """

    def __init__(
        self,
        policy: str | Path,
        *,
        column: str = "text",
        on: Surface = "input",
        context: Mapping[str, object] | None = None,
        params: Mapping[str, ParamValue] | None = None,
        packs: str | Path | None = None,
        overlay: str | Path | None = None,
        device: str = "auto",
        prefix: str = "guard_",
        show_text: bool = False,
    ) -> None:
        self._guard: Guard = load(
            policy, params=params, packs=packs, overlay=overlay, device=device
        )
        self._column = column
        self._on: Surface = on
        self._context = context
        self._prefix = prefix
        self._show_text = show_text

    def __call__(self, batch: Any) -> Any:
        """The batch with more columns.

        Raises:
            UsageError: It has no such column, or has one of those that are added.
        """
        if isinstance(batch, Mapping):
            self._look(list(batch))
            return {**batch, **self._judged(list(batch[self._column]))}
        if hasattr(batch, "append_column"):  # a table of pyarrow
            self._look(batch.column_names)
            for name, values in self._judged(batch.column(self._column).to_pylist()).items():
                batch = batch.append_column(name, [_typed(name, values, self._prefix)])
            return batch
        if hasattr(batch, "assign"):  # a frame of pandas
            self._look(list(batch.columns))
            return batch.assign(**self._judged(list(batch[self._column])))
        raise UsageError(f"a batch of type {type(batch).__name__} cannot be read")

    def _look(self, names: Sequence[object]) -> None:
        if self._column not in names:
            raise UsageError(f"the batch has no column `{self._column}`: name another by `column`")
        for name in COLUMNS:
            if self._prefix + name in names:
                raise UsageError(f"the batch has a column `{self._prefix}{name}`: give `prefix`")

    def _judged(self, given: Sequence[object]) -> dict[str, list[Any]]:
        at = [number for number, text in enumerate(given) if isinstance(text, str)]
        cases = [_Text(str(given[number]), self._on) for number in at]
        verdicts = dict(zip(at, judged_all(self._guard, cases, context=self._context), strict=True))
        rows = [self._row(verdicts.get(number, "it is no text")) for number in range(len(given))]
        names = (*COLUMNS, "text") if self._show_text else COLUMNS
        return {self._prefix + name: [row[name] for row in rows] for name in names}

    @staticmethod
    def _row(said: Verdict | str) -> dict[str, Any]:
        if isinstance(said, str):
            nothing = dict.fromkeys(("fired", "findings", "unknown"), "[]")
            return {"action": "error", **nothing, "elapsed_us": 0.0, "error": said, "text": ""}
        return {
            "action": said.action,
            "fired": json.dumps(said.fired),
            "findings": json.dumps([found._asdict() for found in said.findings]),
            "unknown": json.dumps(said.unknown),
            "elapsed_us": said.elapsed_us,
            "error": "",
            "text": said.text.encode("utf-8", "backslashreplace").decode(),
        }


def _typed(name: str, values: Sequence[Any], prefix: str) -> Any:
    from importlib import import_module

    arrow: Any = import_module("pyarrow")
    is_number = name == f"{prefix}elapsed_us"
    return arrow.array(values, arrow.float64() if is_number else arrow.string())
