"""What the process ends with. The numbers are part of the contract with scripts and CI."""

from __future__ import annotations

from typing import Final

CLEAN: Final = 0
FINDINGS: Final = 1
WRONG: Final = 2
"""The command line, a file or a policy is wrong."""
UNJUDGED: Final = 3
"""Something could not be judged, so nothing is said to be fine."""
NOTHING: Final = 5
"""There was nothing to do."""
BUG: Final = 101
INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""The reader of the output went away, as with `| head`: what a shell says of SIGPIPE."""
