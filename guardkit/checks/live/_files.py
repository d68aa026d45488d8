"""A policy's data files, as they were when it was compiled."""

from __future__ import annotations

import hashlib

from guardkit.catalog import Setting
from guardkit.errors import BindError


def content_of(setting: Setting, file: object) -> bytes:
    """The bytes of a file.

    Args:
        setting: Where a check is bound.
        file: What the check's config has for the file: its name and its digest.

    Raises:
        BindError: It cannot be read, or it is not the one the policy was compiled with.
    """
    assert isinstance(file, tuple)
    name, digest = str(file[0]), str(file[1])
    content = setting.file(name)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise BindError(f"the file `{name}` has changed since the policy was compiled")
    return content


def text_of(setting: Setting, file: object) -> str:
    """A file as text, without the mark that some editors put in front.

    Raises:
        BindError: It cannot be read, it has changed, or it is not UTF-8.
    """
    try:
        return content_of(setting, file).decode("utf-8-sig")
    except UnicodeDecodeError:
        assert isinstance(file, tuple)
        raise BindError(f"the file `{file[0]}` is not UTF-8 text") from None
