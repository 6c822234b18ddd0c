"""The networks that people bring: torch's weights from the seed, and torch's losses for ten
steps within the bound that `benchmarks.networks` derives.
"""

import numpy as np
import pytest

import minicnn
from minicnn import nn
from tests.support.oracle import torch

networks = pytest.importorskip("benchmarks.networks", reason="the benchmarks are not part of an installed package")
IMAGES = 4


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_the_weights_are_torchs_bit_for_bit(name):
    network = networks.NETWORKS[name]
    minicnn.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = network.make(nn).state_dict(), network.make(networks.torchs_library()).state_dict()
    assert list(ours) == list(theirs)
    for key, array in ours.items():
        np.testing.assert_array_equal(array, theirs[key].numpy(), strict=True)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_ten_steps_have_torchs_losses_within_rounding(name):
    network = networks.NETWORKS[name]
    data = networks.batches(network, IMAGES, "float64")
    found = networks.ours(network, data, "float64")
    expected = networks.theirs(network, data, "float64", found.masks)
    bound = networks.allowed(network, IMAGES, "float64")
    assert (np.abs(found.losses - expected.losses) <= bound).all()
    assert bound.max() < 1e-6 * np.abs(expected.losses).max()  # so it says something
    assert len(set(found.losses)) == networks.STEPS  # and the weights do learn


def test_the_bound_notices_a_gradient_that_is_off_by_a_millionth():
    """Of one layer alone."""
    network = networks.NETWORKS["ResNet-8"]  # under SGD: Adam's steps do not depend on a gradient's size
    data = networks.batches(network, IMAGES, "float64")
    found = networks.ours(network, data, "float64")
    backward = nn.AdaptiveAvgPool2d.backward
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.AdaptiveAvgPool2d, "backward", lambda self, grad: backward(self, grad) * (1 + 1e-6))
        wrong = networks.ours(network, data, "float64")
    assert (np.abs(wrong.losses - found.losses) > networks.allowed(network, IMAGES, "float64")).any()
