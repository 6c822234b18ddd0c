"""A file is written whole or not at all. Whoever is killed meanwhile leaves the old one."""

import contextlib
import os
import secrets
from pathlib import Path

UNFINISHED = ".unfinished"  # behind the name of a file that is being written


def write_whole(path: Path, content: bytes) -> None:
    """Write all of `content` or nothing: a reader finds the old file or the new, never a half.

    Until it is whole it has a name of its own. So two writers do not mix, and no link that lies
    there leads elsewhere. OSError names the file that was to be written.
    """
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # without it, a power cut could leave the new name on no content
        os.replace(unfinished, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say where
    finally:
        with contextlib.suppress(OSError):  # what went wrong first is what is told
            unfinished.unlink(missing_ok=True)
