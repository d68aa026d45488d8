"""The enforcing proxy, the decision API and the console: translate in and out, decide nothing."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._app import App
    from ._house import House, Loading
    from ._keys import NewKey, new_key
    from ._logs import Log
    from ._policies import Loaded, Probe
    from ._run import serve
    from ._settings import Settings

__all__ = [
    "App",
    "House",
    "Loaded",
    "Loading",
    "Log",
    "NewKey",
    "Probe",
    "Settings",
    "new_key",
    "serve",
]

__getattr__ = loader(
    __name__,
    {
        "_app": ("App",),
        "_house": ("House", "Loading"),
        "_keys": ("NewKey", "new_key"),
        "_logs": ("Log",),
        "_policies": ("Loaded", "Probe"),
        "_run": ("serve",),
        "_settings": ("Settings",),
    },
)
