"""What the commands share: how they read the values of flags, write a table, start and end."""

import argparse
import csv
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .kernels import announce_compilation
from .saved.files import write_whole


def replace_closed_streams() -> None:
    """A stream that was closed from the start is None: print would take the other one."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the end


# Now, before more is imported: NumPy 2.0's f2py, which SciPy loads, fails without sys.stderr.
replace_closed_streams()

STDOUT = Path("-")
# What else of a run folder could be taken for a table or a picture of these commands' own.
OF_A_RUN = (
    *("metrics.csv", "history.png", "filters.png", "confusion.png", "mistakes.png"),
    *("samples.png", "walk.png", "latent.png"),
)


class Parser(argparse.ArgumentParser):
    """Prints the help as it is written, and says which flag may have been meant by an
    unknown one.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        unknown = re.match("unrecognized arguments: (--[^ =]+)", message)
        if unknown:
            flags = re.findall("--[a-z][a-z0-9-]*", self.format_help())
            near = difflib.get_close_matches(unknown[1], flags, n=1)
            message += f" (did you mean {near[0]}?)" if near else " (--help lists the flags)"
        super().error(message)


def checked(convert: Callable[[str], Any], fits: Callable[[Any], bool], expected: str) -> Callable[[str], Any]:
    """For argparse: how to read a value, or refuse it with a sentence."""

    def parse(text: str) -> Any:
        try:
            if fits(value := convert(text)):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return parse


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number in these bounds."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return checked(int, lambda n: least <= n and (most is None or n <= most), f"a whole number {bounds}")


def one_of(*names: str) -> Callable[[str], str]:
    """One of these words."""
    *others, last = names
    return checked(str, names.__contains__, f"{', '.join(others)} or {last}")


def new_file(text: str) -> Path:
    """A file to write, refused now and not after the work."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r} to write {text!r} into")
    return path


def check_new(target: Path, force: bool) -> None:
    """A file can be written there, and none is lost."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder: name a file in it.")
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists and is not overwritten: name another file, or say --force.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent} to write into; make it first.")


def output_file(suffix: str, dash: bool = False) -> Callable[[str], Path]:
    """A new file whose ending keeps a slip from overwriting something else.

    With `dash`, - is the standard output.
    """

    def parse(text: str) -> Path:
        if dash and text == "-":
            return STDOUT
        if Path(text).suffix.lower() != suffix:
            raise argparse.ArgumentTypeError(f"expected a file name that ends in {suffix}, got {text!r}")
        path = Path(os.path.realpath(text)) if os.path.exists(text) else None
        if path and path.name.lower() in OF_A_RUN and path.with_name("config.json").is_file():
            raise argparse.ArgumentTypeError(f"{text!r} is what the training left in its run folder: name another file")
        return new_file(text)

    return parse


def same_file(path: Path, other: Path) -> bool:
    """Whether both lead to one file. A link to itself, say, leads to none."""
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def write_csv(path: Path, rows: Iterable[Sequence]) -> None:
    """Write a table to a file, or to STDOUT.

    Floats keep all their digits; in names, what is not UTF-8 is escaped.
    """
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(rows)
    if path == STDOUT:
        print(table.getvalue(), end="", flush=True)
    else:
        write_whole(path, table.getvalue().encode(errors="backslashreplace"))


def sentence(error: BaseException) -> str:
    """What an exception says, with one stop at its end."""
    return f"{str(error).rstrip('.')}."


def say_if_compiling(stream: str = "stdout") -> None:
    """What the first use of a kernel waits for, said on sys.stdout or sys.stderr."""
    text = "Compiling the kernels for this machine, once: some 15 seconds."
    announce_compilation(lambda: print(text, file=getattr(sys, stream), flush=True))


def finish(work: Callable[[], int]) -> int:
    """Do the work. Returns the exit status; what stops it is said in a line."""
    status = 0
    try:
        try:
            status = work()
        finally:
            sys.stdout.flush()  # when Python ends it is too late to say that it failed
    except (KeyboardInterrupt, SystemError) as error:
        if not by_ctrl_c(error):
            raise
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more, and complains
        if not status and not isinstance(error, BrokenPipeError):  # else it is said already, or nobody is interested
            print(sentence(error), file=sys.stderr)
        return status or 1
    return status


def by_ctrl_c(error: BaseException) -> bool:
    """Also within a compiled kernel, which passes it on as the cause of a SystemError."""
    return isinstance(error.__cause__ if isinstance(error, SystemError) else error, KeyboardInterrupt)


def start(main: Callable[[], int]) -> NoReturn:
    """Run a module's `main` as a program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not fit a terminal
    sys.exit(finish(main))
