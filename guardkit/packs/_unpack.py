"""From a bundle back to a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._bundle import Bundle


def unpack(bundle: Bundle, folder: Path) -> None:
    """Write the files of a bundle into a new folder, all of them or none.

    Args:
        bundle: A bundle that is trusted.
        folder: Where; nothing may be there yet.

    Raises:
        BindError: Something is there, or it cannot be written.
    """
    # Imported here: it takes longer to load than a small pack to write.
    import tempfile

    shown = visible(folder.as_posix())
    if os.path.lexists(folder):
        raise BindError(f"`{shown}` is there already")
    beside = None
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        made = beside / "new"
        made.mkdir()
        for path, content in bundle.files.items():
            # INVARIANT: `path_problem` refused every name that leads anywhere else.
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_bytes(content)
        os.rename(made, folder)
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise BindError(f"`{shown}` cannot be written: {why}") from None
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
