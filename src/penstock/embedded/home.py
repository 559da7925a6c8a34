"""What the operating system refuses in an environment's own folder, as an error a person can act upon."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import DriverError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Turn OSErrors within the block into DISK_FULL or HOME_UNUSABLE, both about `folder`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DriverError(
                f"the disk is full: {folder} cannot be written",
                code="DISK_FULL",
                hint="free some space and run again; what was published stands",
                transient=True,
            ) from error
        raise DriverError(
            f"{folder} cannot be used: {error.strerror or error}: {error.filename or folder}",
            code="HOME_UNUSABLE",
            hint="an environment's home must be a folder that the user who runs Penstock may write to",
        ) from error
