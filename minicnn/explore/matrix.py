"""Convolution as a matrix: M with output = M x, read off from the layer itself, and its
transpose.
"""

from typing import Any

import numpy as np

from .. import geometry
from ..nn import functional as F
from . import ask, layer_bench
from .say import say

SIZE, KERNEL = 6, 4


def answer(body: Any) -> dict[str, Any]:
    """POST /api/matrix: the matrix of a small convolution, what it and its transpose
    do, and why that is no way back.
    """
    H, W = ask.pair(body, "size", 1, SIZE)
    KH, KW = ask.pair(body, "kernel_size", 0, KERNEL)
    S, P, D = (ask.integer(body, name, low, 4) for name, low in (("stride", 0), ("padding", -1), ("dilation", 0)))
    seed = ask.integer(body, "seed", 0, 10**6)
    x = ask.filled(ask.grid(body.get("input"), "input", 2), (H, W), seed, 0, 5)
    result: dict[str, Any] = {"input": x}
    if not KH or not KW:
        return result | {"problem": {"kind": "ValueError", "sentence": say("matrix.no_kernel")}}
    weight = ask.filled(ask.grid(body.get("weight"), "weight", 2), (KH, KW), seed + 1, 1, 4)
    w = weight[None, None]
    try:
        g = geometry.conv2d((1, 1, H, W), w.shape, S, P, D)
        if g.OH * g.OW > ask.CELLS // 8:
            count = g.OH * g.OW
            raise layer_bench.TooLarge(
                say("matrix.too_large", most=ask.CELLS // 8, rows=g.OH, columns=g.OW, count=count)
            )
        basis = np.eye(H * W).reshape(H * W, 1, H, W)  # image p is 1 at pixel p
        M = F.conv2d(basis, w, None, S, P, D).reshape(H * W, -1).T  # (OH OW, H W): column p is what pixel p does
        y = F.conv2d(x[None], w, None, S, P, D)  # (1, OH, OW)
        OP = ((H + 2 * P - D * (KH - 1) - 1) % S, (W + 2 * P - D * (KW - 1) - 1) % S)
        back = F.conv_transpose2d(y, w, None, S, P, OP, 1, D)[0]  # (H, W)
    except (*layer_bench.REFUSALS, layer_bench.TooLarge) as error:
        return result | {"problem": layer_bench.problem(error)}
    return (
        result
        | {
            "problem": None,
            "weight": weight,
            "matrix": M,
            "output": y[0],
            "product": (M @ x.reshape(-1)).reshape(g.OH, g.OW),
            "transposed": back,
            "transposed_product": (M.T @ y.reshape(-1)).reshape(H, W),
            "output_padding": OP,
            "zeros": int((M == 0).sum()),
            "uses": (M != 0).sum(axis=0).reshape(H, W),  # into how many outputs each pixel goes
            "unseen": ~(M != 0).any(axis=0).reshape(H, W),
            "line": f"F.conv2d(x, weight, stride={S}, padding={P}, dilation={D})",
            "line_transposed": (
                f"F.conv_transpose2d(y, weight, stride={S}, padding={P}, output_padding={OP}, dilation={D})"
            ),
        }
        | _no_inverse(M, x, back)
    )


def _no_inverse(M: np.ndarray, x: np.ndarray, back: np.ndarray) -> dict[str, Any]:
    """M^T M is not the identity, and where M has fewer independent rows than columns
    nothing else could be, either.
    """
    if not np.isfinite(M).all():
        return {"gram": None, "rank": None, "why": say("matrix.not_finite")}
    rank = int(np.linalg.matrix_rank(M))
    rows, columns = M.shape
    if np.array_equal(back, x):
        why = say("matrix.copies")
    elif rank < columns:
        why = say("matrix.lost", rows=rows, columns=columns, rank=rank, lost=columns - rank)
    else:
        why = say("matrix.full", columns=columns, rank=rank)
    return {"gram": M.T @ M, "rank": rank, "why": why}
