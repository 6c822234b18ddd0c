"""Is it alive? The course's example, one gradient by hand, and a network that learns;
without torch, in two seconds.
"""

import numpy as np

import minicnn
from minicnn.nn import functional as F


def test_the_courses_transposed_convolution_of_integers():
    x = np.array([[[[0, 1], [2, 3]]]])
    np.testing.assert_array_equal(F.conv_transpose2d(x, x), [[[[0, 0, 1], [0, 4, 6], [4, 12, 9]]]])


def test_a_weight_collects_the_inputs_under_it():
    x, grad_output = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, 10.0]]]])
    _, grad_weight, grad_bias = F.conv2d_backward(grad_output, x, np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(grad_weight, [[[[0 + 40, 1 + 50], [3 + 70, 4 + 80]]]])
    np.testing.assert_array_equal(grad_bias, [11])


def test_ten_steps_on_one_batch_lower_the_loss():
    minicnn.manual_seed(0)
    model, criterion = minicnn.models.SimpleCNN(), minicnn.nn.CrossEntropyLoss()
    optimizer = minicnn.optim.Adam(model.parameters(), lr=3e-3)
    images, labels = minicnn.data.MNIST().batch(range(16))
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        losses.append(float(criterion(model(images), labels)))
        model.backward(criterion.backward())
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
