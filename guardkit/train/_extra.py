"""Whether what the extra `train` installs is there."""

from __future__ import annotations

from importlib.util import find_spec

from guardkit.errors import BindError

_NAMES = {"torch": "PyTorch", "onnx": "the package `onnx`", "onnxruntime": "ONNX Runtime"}


def need(*modules: str) -> None:
    """Refuse to begin what could not be ended.

    Raises:
        BindError: Something is missing.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        named = " and ".join(_NAMES[module] for module in missing)
        # Which of the two runtimes, the user has to say; that of a CPU will do.
        extra = "train,cpu" if "onnxruntime" in missing else "train"
        raise BindError(f"training needs {named}: pip install 'guardkit[{extra}]'")
