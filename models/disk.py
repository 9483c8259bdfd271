"""How much room a disk must have for a database to write in peace."""

import shutil
from pathlib import Path
from typing import Final

# Whichever is less. Below it nothing new is stored, so that the database never meets the disk's
# end, at which it gives up and answers nothing any more.
FREE_BYTES: Final = 1024**3
FREE_SHARE: Final = 0.05


def disk_is_low(directory: Path) -> bool:
    """Whether there is too little room left for a database to write in peace."""
    try:
        disk = shutil.disk_usage(directory)
    except OSError:
        return False  # it is not there yet, or somebody else has to tell
    return disk.free < min(FREE_BYTES, disk.total * FREE_SHARE)
