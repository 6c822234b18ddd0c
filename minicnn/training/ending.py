"""How a training ends before its time: Ctrl-C, SIGTERM, a full disk, a loss that is not finite.

with ending() as end:
    ...                 the training
return end.status       0; 1 after an error; 130 or 143 after a signal, as shells expect
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..command import by_ctrl_c, sentence
from ..saved.run_folder import Run

AGAIN = 2.0  # seconds until a signal is raised once more


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


class Terminated(BaseException):
    """The system asks this process to end (SIGTERM)."""


class Ending:
    """The exit status of a training, and who says why it ended."""

    def __init__(self) -> None:
        self.status = 0
        self.run: Run | None = None  # as soon as there is one, its sentence says what is left

    def stop(self, status: int, reason: str) -> None:
        """Say why the training ends here and what is left of it."""
        left = self.run.summary() if self.run else "No training had begun."
        print(f"\n{reason} {left}", file=sys.stderr)
        self.status = status


@contextlib.contextmanager
def ending() -> Iterator[Ending]:
    """A `with` block in which what ends a training becomes an exit status and a sentence."""
    end = Ending()
    try:
        yield end
    except BaseException as error:
        found = why(error)
        if found is None:
            raise  # a mistake in the program, or a command line that was refused
        end.stop(*found)


def why(error: BaseException) -> tuple[int, str] | None:
    """The exit status and the reason in words; None for an exception of another kind."""
    asked = Signals.asked
    if asked is not None:
        do_not_raise_again()  # within an import, or a compiled kernel, it may come out as another exception
    if isinstance(error, Terminated) or asked is Terminated:
        return 143, "Terminated."
    if by_ctrl_c(error) or asked is KeyboardInterrupt:
        return 130, "Stopped."
    if isinstance(error, BrokenPipeError):
        return 1, "The output was closed."
    if isinstance(error, Diverged | OSError):
        return 1, sentence(error)
    return None


# -------------------------------------------------------------------------------------- signals


class Signals:
    """What this process was asked for."""

    asked: type[BaseException] | None = None


ENDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


def listen() -> None:
    """From now on SIGTERM ends a training as Ctrl-C does, and neither of them can get lost."""
    signal.signal(signal.SIGTERM, end_by_signal)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it was started deaf to Ctrl-C
        signal.signal(signal.SIGINT, end_by_signal)


def end_by_signal(number: int, frame: Any) -> NoReturn:
    """End the training wherever it is.

    Python drops an exception that is raised in a `__del__` or in a library's callback. So it is
    raised again every two seconds, until `ending` has caught it.
    """
    if number in ENDS:
        Signals.asked = ENDS[signal.Signals(number)]
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # asked a second time, the process ends at once
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, end_by_signal)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise Signals.asked or Terminated


def do_not_raise_again() -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def and_leave(main: Callable[[], int]) -> Callable[[], int]:
    """`main` as it is run from a shell: after a signal the interpreter does not tidy up.

    It may not survive tidying up, if the signal interrupted a library's import.
    """

    def run() -> int:
        try:
            status = main()
        except (KeyboardInterrupt, Terminated) as error:  # between main's last lines
            do_not_raise_again()
            status = 143 if isinstance(error, Terminated) else 130
        if Signals.asked is not None:
            leave_at_once(status)
        return status

    return run


def leave_at_once(status: int) -> NoReturn:
    """End the process with nothing but its output written out."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)
