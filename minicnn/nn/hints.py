"""What to write instead of torch's words for tensors, where a forward meets an array."""

import re
import traceback
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[1])  # whose own lines are not meant
INSTEAD = {
    "size": "x.shape, x.shape[0] or len(x) is the size; NumPy's x.size is the number of elements",
    "view": "x.reshape(len(x), -1) is the same numbers in another shape",
    "flatten": "x.reshape(len(x), -1), or the layer nn.Flatten(), flattens all but the batch",
    "unsqueeze": "x[:, None] adds a dimension",
    "permute": "x.transpose(0, 2, 3, 1) reorders the dimensions",
    "dim": "x.ndim is the number of dimensions",
    "numel": "x.size is the number of elements",
    "to": "leave it out: arrays are where the model is, and x.astype(np.float32) converts",
    "cuda": "leave it out: model.to('cuda') takes tensors, a NumPy model arrays",
    "cpu": "leave it out: a NumPy array is on the CPU",
    "float": "x.astype(np.float32) converts",
    "double": "x.astype(np.float64) converts",
    "long": "x.astype(np.int64) converts",
    "detach": "leave it out: no array carries a tape",
    "numpy": "leave it out: it is a NumPy array",
    "contiguous": "np.ascontiguousarray(x) copies where it must",
    "relu": "F.relu(x) of minicnn.nn.functional is a function",
    "backward": "criterion.backward() is the gradient of the loss, model.backward(...) takes it through the layers",
}


def for_torchs_word(error: BaseException) -> str | None:
    """The line to write, if the error comes from a word of torch's for a NumPy array."""
    missing = re.search(r"'numpy\.\w+' object has no attribute '(\w+)'", str(error))
    if isinstance(error, AttributeError) and missing:
        return INSTEAD.get(missing[1])
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, TypeError | ValueError) or not frames or frames[-1].filename.startswith(PACKAGE):
        return None
    line = frames[-1].line or ""
    called = next((word for word in ("size", "view") if f".{word}(" in line), None)
    return INSTEAD[called] if called else None
