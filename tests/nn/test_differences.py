"""Where minicnn differs from torch on purpose: each row of the table in CONTRIBUTING.md
is shown here, on both sides.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

from minicnn import nn, optim
from minicnn.nn import functional as F
from tests.support.oracle import rejects, torch

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
TF = torch.nn.functional


def mse_shapes():
    x, target = np.zeros((4, 1)), np.zeros(4)
    with pytest.raises(ValueError, match="must have the same shape"):
        F.mse_loss(x, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = TF.mse_loss(torch.from_numpy(x), torch.from_numpy(target), reduction="none")
    assert losses.shape == (4, 4)  # every row with every target


def linear_bias():
    x, weight, bias = np.ones((2, 3)), np.ones((4, 3)), np.ones(1)
    with pytest.raises(RuntimeError, match=r"bias must have shape \(4,\), got \(1,\)"):
        F.linear(x, weight, bias)
    assert TF.linear(*map(torch.from_numpy, (x, weight, bias))).shape == (2, 4)


def pad_widths():
    x = np.arange(4.0).reshape(1, 1, 4)
    for widths in ((-1, 0, 0, 0), (1, 1)):
        with pytest.raises(ValueError, match="pad must be four widths"):
            F.pad(x, widths)
    assert TF.pad(torch.from_numpy(x), (-1, 0, 0, 0)).tolist() == [[[1, 2, 3]]]
    assert TF.pad(torch.from_numpy(x), (1, 1)).shape == (1, 1, 6)


def no_channels():
    x, weight = np.zeros((2, 0, 5, 5)), np.zeros((4, 0, 3, 3))
    with pytest.raises(RuntimeError, match="weight must be .* each at least 1"):
        F.conv2d(x, weight)
    assert not rejects(lambda: TF.conv2d(torch.from_numpy(x), torch.from_numpy(weight)))


def early_checks():
    for arguments in ({"stride": 0}, {"dilation": 0}, {"padding": -1}):
        with pytest.raises(ValueError, match=f"Conv2d: {next(iter(arguments))} must be"):
            nn.Conv2d(1, 1, 3, **arguments)
        assert not rejects(lambda arguments=arguments: torch.nn.Conv2d(1, 1, 3, **arguments))


def other_dtypes():
    x = np.array([-1.0, 2.0])
    for dtype in ("float16", "complex64"):
        with pytest.raises(RuntimeError, match=f"has dtype {dtype}, but must have one of float32, float64"):
            F.tanh(x.astype(dtype))
        assert not rejects(lambda dtype=dtype: torch.tanh(torch.from_numpy(x.astype(dtype))))


def loaded_dtype():
    ours, theirs = nn.Linear(2, 1), torch.nn.Linear(2, 1)
    weights = {"weight": np.ones((1, 2)), "bias": np.ones(1)}
    ours.load_state_dict(weights)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    assert ours.weight.dtype == np.float64
    assert theirs.weight.dtype == torch.float32


def window_without_element():
    with pytest.raises(ValueError, match="a window has no element of the input's width 2 under it"):
        F.max_pool2d(np.zeros((1, 9, 2)), (1, 2), padding=(0, 1), dilation=(1, 3))


def zeros_of_the_padding():
    """In torch it depends on the routine that its size calls for: so only ours is looked at."""
    for N, C in ((1, 1), (16, 8)):
        weight = np.ones((8, C, 3, 3), np.float32)
        weight[0, 0, 0, 0] = np.inf
        with np.errstate(invalid="ignore"):
            output = F.conv2d(np.ones((N, C, 9, 9), np.float32), weight, padding=1)
        assert np.isnan(output[:, 0, 0]).all()


def means_of_integers():
    x = np.array([[[1, 2]]])
    with pytest.raises(RuntimeError, match="avg_pool2d: input has dtype int64"):
        F.avg_pool2d(x, (1, 2))
    assert TF.avg_pool2d(torch.from_numpy(x), (1, 2)).tolist() == [[[1]]]  # of 1.5


def wrapped_names():
    theirs = torch.nn.DataParallel(torch.nn.Linear(2, 3)).state_dict()
    ours = nn.Linear(2, 3)
    with pytest.warns(UserWarning, match="left out of the names: module."):
        ours.load_state_dict(theirs)
    assert np.array_equal(ours.weight.data, theirs["module.weight"])
    with pytest.raises(RuntimeError, match="Missing key"):
        torch.nn.Linear(2, 3).load_state_dict(theirs)


def frozen_with_a_gradient():
    ours, theirs = nn.Linear(1, 1), torch.nn.Linear(1, 1)
    moved = []
    for layer, kind, ones in ((ours, optim.SGD, np.ones), (theirs, torch.optim.SGD, torch.ones)):
        layer.load_state_dict({"weight": ones((1, 1)), "bias": ones(1)})
        layer.weight.grad = ones((1, 1))
        layer.weight.requires_grad = False
        kind(layer.parameters(), lr=0.5).step()
        moved.append(layer.weight.item() if layer is theirs else layer.weight.data.item())
    assert moved == [1.0, 0.5]


def truth_of_a_parameter():
    with pytest.raises(TypeError, match="is not None"):
        bool(nn.Parameter(np.zeros(1)))
    assert not torch.nn.Parameter(torch.zeros(1))  # a bias of one 0 counts as none


def pictures():
    x = np.zeros((1, 1, 2, 2), np.uint8)
    with pytest.raises(RuntimeError, match="interpolate: input has dtype uint8"):
        F.interpolate(x, 4)
    assert TF.interpolate(torch.from_numpy(x), 4).shape == (1, 1, 4, 4)


def unpooling_to_nothing():
    x, indices = np.ones((1, 1, 1)), np.zeros((1, 1, 1), np.int64)
    with pytest.raises(RuntimeError, match="the output would be 0 x 2; each must be at least 1"):
        F.max_unpool2d(x, indices, 2, padding=(1, 0))
    assert TF.max_unpool2d(torch.from_numpy(x), torch.from_numpy(indices), 2, padding=(1, 0)).shape == (1, 0, 2)


DIFFERENCES = {
    "`mse_loss` of shapes that differ": mse_shapes,
    "a bias of `linear` that is not (out,)": linear_bias,
    "`pad` with other than four widths, or negative ones": pad_widths,
    "a convolution without channels": no_channels,
    "a stride, padding or dilation that makes no sense": early_checks,
    "float16, bfloat16, complex": other_dtypes,
    "`load_state_dict` of another dtype": loaded_dtype,
    "`avg_pool2d` of integers": means_of_integers,
    "`load_state_dict` of names with `module.` or `_orig_mod.`": wrapped_names,
    "`interpolate` of uint8": pictures,
    "`max_unpool2d` to an image without pixels": unpooling_to_nothing,
    "a pooling window without an element of the image": window_without_element,
    "an infinite or NaN weight over the padding": zeros_of_the_padding,
    "a frozen parameter that has a gradient": frozen_with_a_gradient,
    "the truth value of a parameter": truth_of_a_parameter,
}


@pytest.mark.parametrize("row", DIFFERENCES)
def test_minicnn_differs_from_torch_on_purpose(row):
    DIFFERENCES[row]()


def test_the_table_has_these_rows():
    if not CONTRIBUTING.is_file():
        pytest.skip("CONTRIBUTING.md is not part of an installed package")
    section = CONTRIBUTING.read_text(encoding="utf-8").split("## Where minicnn differs from torch on purpose")[1]
    rows = [line.split("|")[1].strip() for line in section.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert rows[2:] == list(DIFFERENCES)
