"""An exception between any two lines, as Ctrl-C brings it."""

import sys


class Interruption(BaseException):
    pass


def interrupted(call, files, line):
    """Run call() with an exception before the line-th line that runs in one of the
    files; whether there was such a line.
    """
    left = line

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_code.co_filename.endswith(files):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise Interruption
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Interruption:
        return True
    finally:
        sys.settrace(before)
    assert left > 0, "the exception was swallowed"
    return False
