"""JSON out: numbers as they are, with "NaN", "Infinity" and "-Infinity" as strings,
which JSON has no numbers for.
"""

import base64
import json
import math
from typing import Any

import numpy as np


def jsonable(value: Any) -> Any:
    """Arrays become nested lists, NumPy's numbers Python's, and what is not finite its name."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return jsonable(value.tolist())
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def encode(value: Any) -> bytes:
    """The value as JSON. Most answers are finite: they go without a look at each number."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain)
    except ValueError:  # a number that JSON has no name for
        text = json.dumps(jsonable(value), allow_nan=False, separators=(",", ":"))
    return text.encode()


def _plain(value: Any) -> Any:
    """What the JSON encoder does not know."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return json.JSONEncoder().default(value)  # raises TypeError


def shades(planes: np.ndarray, signed: bool) -> dict[str, Any]:
    """Planes (C, H, W) for drawing: one byte a pixel, from `low` (0) to `high` (255);
    signed ones with 0 in the middle.
    """
    finite = planes[np.isfinite(planes)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    scale = 255 / (high - low) if high > low else 0.0
    middle = 127.5 if signed else 0.0
    levels = np.nan_to_num((planes - low) * scale if scale else np.full(planes.shape, middle), posinf=255, neginf=0)
    data = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return {"low": low, "high": high, "shape": planes.shape, "bytes": base64.b64encode(data.tobytes()).decode()}
