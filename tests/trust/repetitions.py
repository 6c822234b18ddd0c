"""How often: a little in the normal suite, long where somebody asks for it (MINICNN_LONG=1)."""

import os


def times(short: int, long: int) -> int:
    return long if os.environ.get("MINICNN_LONG") else short
