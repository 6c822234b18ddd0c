"""Models in the ONNX format, out and in: `export` for other programs, `load` from other
frameworks.
"""

from .command import main
from .reading import load
from .writing import export

__all__ = ["export", "load", "main"]
