"""Dataset, Subset and DataLoader: the course's use of them, and torch as the judge."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.data import MNIST, DataLoader, Dataset, Subset, TensorDataset, random_split


class Pairs(Dataset):
    """n examples (image (1, 2, 2), label), each recognisable by its index."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if not -self.n <= index < self.n:
            raise IndexError(index)
        return np.full((1, 2, 2), index % self.n, np.float32), index % self.n


def labels_of(loader):
    return [labels.tolist() for _, labels in loader]


def test_batches_are_stacked_examples():
    images, labels = Pairs(5).batch([4, 0, -2])
    assert images.shape == (3, 1, 2, 2) and images.dtype == np.float32
    assert labels.tolist() == [4, 0, 3] and labels.dtype == np.int64
    assert images[:, 0, 1, 1].tolist() == [4, 0, 3]


sizes = st.integers(0, 30), st.integers(1, 12), st.booleans()


@settings(deadline=None)
@given(*sizes)
def test_loader_agrees_with_torch(n, batch_size, drop_last):
    torch_data = pytest.importorskip("torch.utils.data")
    ours = DataLoader(Pairs(n), batch_size, drop_last=drop_last)
    theirs = torch_data.DataLoader(Pairs(n), batch_size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    for (images, labels), (torch_images, torch_labels) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(images, torch_images.numpy(), strict=True)
        np.testing.assert_array_equal(labels, torch_labels.numpy(), strict=True)


@settings(deadline=None)
@given(*sizes, st.integers(0, 2**40), st.integers(0, 2**40))
def test_shuffled_epoch_is_a_pure_function_of_seed_and_epoch(n, size, drop_last, seed, epoch):
    def loader():
        return DataLoader(Pairs(n), size, shuffle=True, seed=seed, drop_last=drop_last)

    order = np.random.default_rng((seed, epoch)).permutation(n).tolist()
    expected = [order[i : i + size] for i in range(0, len(loader()) * size, size)]
    one, other = loader(), loader()
    one.epoch = epoch
    assert labels_of(one) == expected and one.epoch == epoch + 1
    for one.epoch in (epoch + 7, epoch):  # nothing of another epoch is left behind
        found = labels_of(one)
    assert found == expected
    if not drop_last:
        assert sorted(itertools.chain.from_iterable(labels_of(other))) == list(range(n))


def test_epochs_count_and_differ():
    loader = DataLoader(Pairs(100), 10, shuffle=True)
    first, second = labels_of(loader), labels_of(loader)
    assert loader.epoch == 2 and first != second
    iterator = iter(loader)
    assert loader.epoch == 3  # drawn before its first batch is
    assert next(iterator)[1].tolist() == loader.order(2)[:10].tolist()
    assert labels_of(DataLoader(Pairs(100), 10, shuffle=True)) == first
    assert labels_of(DataLoader(Pairs(100), 10, shuffle=True, seed=1)) != first


@pytest.mark.parametrize("indices", [[3, 1, 1, -1], range(2, 5), np.array([4, 0], np.uint8), []])
def test_subset_is_torchs(indices):
    torch_data = pytest.importorskip("torch.utils.data")
    ours, theirs = Subset(Pairs(5), indices), torch_data.Subset(Pairs(5), indices)
    assert len(ours) == len(theirs)
    assert [ours[i][1] for i in range(len(ours))] == [theirs[i][1] for i in range(len(theirs))]
    assert list(itertools.chain.from_iterable(labels_of(DataLoader(ours, 2)))) == [label for _, label in ours]


def test_subsets_nest():
    outer = Subset(Subset(Pairs(9), [8, 6, 4]), (2, 0))
    assert [label for _, label in outer] == [4, 8]
    assert outer.batch([-1])[1].tolist() == [8]
    assert Subset(Pairs(9), (i for i in range(3))).indices.tolist() == [0, 1, 2]


def test_bad_indices_are_named():
    with pytest.raises(IndexError, match="Pairs of 5 examples: expected .* -5 <= i < 5, got 5"):
        Subset(Pairs(5), [0, 5])
    with pytest.raises(IndexError, match="Pairs of 5 examples: .* got -6"):
        Subset(Pairs(5), [-6])
    with pytest.raises(IndexError, match="Subset of 2 examples: expected .* -2 <= i < 2, got 2"):
        Subset(Pairs(5), [3, 4])[2]
    with pytest.raises(IndexError, match="Subset of 2 examples: .* got -3"):
        Subset(Pairs(5), [3, 4]).batch([0, -3])
    for indices in ([0.5], [True, False], [[1]], ["a"]):
        with pytest.raises(TypeError, match=r"Pairs is indexed by a sequence of integers, got .*"):
            Subset(Pairs(5), indices)
    with pytest.raises(TypeError, match="integer"):
        Subset(Pairs(5), [3, 4])[0.0]


def test_bad_arguments_are_named():
    for size in (0, -1, 2.0, True, None, "8"):
        with pytest.raises(ValueError, match=f"batch_size must be an integer of .* 1, got {size!r}"):
            DataLoader(Pairs(5), size)
    for seed in (-1, 0.5, None):
        with pytest.raises(ValueError, match=f"seed must be an integer of .* 0, got {seed!r}"):
            DataLoader(Pairs(5), seed=seed)
    for name in ("shuffle", "drop_last"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            DataLoader(Pairs(5), **{name: "no"})
    with pytest.raises(TypeError, match=r"reads a minicnn.data.Dataset, got list; subclass"):
        DataLoader([1, 2])
    loader = DataLoader(Pairs(5), shuffle=True)
    loader.epoch = -1
    with pytest.raises(ValueError, match="epoch must be an integer of at least 0, got -1"):
        iter(loader)


def test_incomplete_data_sets_are_named():
    class Images(Pairs):
        def __getitem__(self, index):
            return np.zeros((1, 2, 2))

    with pytest.raises(TypeError, match=r"Images.batch stacks tuples .*, got ndarray; return a"):
        Images(3).batch([0])
    with pytest.raises(TypeError, match="Pairs.batch stacks tuples .*, got no example"):
        Pairs(3).batch([])
    with pytest.raises(NotImplementedError, match="Dataset must define __len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 2**32))
def test_a_random_split_shares_out_all_examples_and_none_twice(lengths, seed):
    n = sum(lengths)
    parts = random_split(Pairs(n), lengths, seed)
    assert [len(part) for part in parts] == lengths
    assert sorted(index for part in parts for index in part.indices) == list(range(n))
    again = random_split(Pairs(n), lengths, seed)
    assert [part.indices.tolist() for part in again] == [part.indices.tolist() for part in parts]


@pytest.mark.filterwarnings("ignore:Length of split")  # torch remarks on parts without examples
@pytest.mark.parametrize("n", [0, 1, 7, 10, 5000])
@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.5, 0.25, 0.25], [1 / 3] * 3, [1.0], [0.5, 0.5, 0.0]])
def test_shares_are_rounded_as_in_torch(n, shares):
    torch_data = pytest.importorskip("torch.utils.data")
    assert [len(part) for part in random_split(Pairs(n), shares)] == [
        len(part) for part in torch_data.random_split(range(n), shares)
    ]


@pytest.mark.parametrize("lengths", [[3, 3], [5], [8, -1], [0.5, 0.6], [3.5, 3.5], []])
def test_lengths_that_do_not_sum_to_all_are_refused(lengths):
    with pytest.raises(ValueError, match=r"whole numbers that sum to 7, .* or shares that sum to 1; got \["):
        random_split(Pairs(7), lengths)


def test_a_tensor_dataset_is_torchs():
    torch = pytest.importorskip("torch")
    arrays = (np.arange(12.0).reshape(6, 2), np.arange(6))
    tensors = tuple(map(torch.tensor, arrays))
    theirs = torch.utils.data.TensorDataset(*tensors)
    for columns in (arrays, tensors):
        ours = TensorDataset(*columns)
        assert len(ours) == len(theirs) == 6
        assert all(a is b for a, b in zip(ours.tensors, columns, strict=True))
        for index in (0, 5, -1, slice(1, 4), slice(None, None, 2)):
            for found, expected in zip(ours[index], theirs[index], strict=True):
                np.testing.assert_array_equal(np.asarray(found), expected.numpy())
        images, labels = ours.batch([4, 0, -1])
        assert (images.tolist(), labels.tolist()) == ([[8, 9], [0, 1], [10, 11]], [4, 0, 5])
        with pytest.raises(IndexError, match="TensorDataset of 6 examples"):
            ours[6]


def test_tensors_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"arrays of one length, got the shapes \(3, 2\), \(2,\)\."):
        TensorDataset(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="got the shapes none"):
        TensorDataset()


def test_a_slice_of_a_data_set_says_the_line_to_write():
    digits = Subset(MNIST(train=False), range(100))
    with pytest.raises(TypeError) as refused:
        digits[10:20:5]
    assert str(refused.value) == (
        "Subset is indexed by one integer, got a slice; write Subset(dataset, range(10, 20, 5)),"
        " or dataset.batch(range(10, 20, 5)) for arrays."
    )
    assert len(Subset(digits, range(10, 20, 5))) == len(digits.batch(range(10, 20, 5))[1]) == 2


def test_what_torchs_loader_takes_is_taken_or_answered_with_the_line_to_write():
    plain = DataLoader(Pairs(5), 2, shuffle=True)
    ported = DataLoader(Pairs(5), batch_size=2, shuffle=True, num_workers=4, pin_memory=True)
    assert labels_of(ported) == labels_of(plain)
    with pytest.raises(TypeError, match=r"takes no argument 'generator': write seed=0, or another seed"):
        DataLoader(Pairs(5), generator=None)
    with pytest.raises(TypeError, match=r"no argument 'sampler': give it .* Subset\(dataset, indices\)"):
        DataLoader(Pairs(5), sampler=[1])
    with pytest.raises(TypeError, match=r"no argument 'batchsize': it takes batch_size, shuffle"):
        DataLoader(Pairs(5), batchsize=3)
    with pytest.raises(ValueError, match="num_workers must be an integer of at least 0, got -1"):
        DataLoader(Pairs(5), num_workers=-1)


def test_they_say_what_they_are():
    digits = MNIST(train=False)
    assert repr(digits).splitlines() == [
        "Dataset MNIST",
        "    Number of datapoints: 1000",
        "    Root location: bundled with minicnn",
        "    Split: Test",
    ]
    assert repr(DataLoader(digits, 64)) == "DataLoader(MNIST of 1000 examples, batch_size=64, shuffle=False)"


def test_slices_and_lists_are_answered_with_the_line_that_has_them():
    digits = MNIST(train=False)
    for data in (digits, Subset(digits, range(9))):
        with pytest.raises(TypeError, match=r"write Subset\(dataset, range\(0, 5\)\), or dataset\.batch\(range\(0, 5"):
            data[:5]
        with pytest.raises(TypeError, match=r"one integer, got list; write Subset\(dataset, indices\), or dataset\.b"):
            data[[0, 1]]
        np.testing.assert_array_equal(data.batch(range(5))[1], digits.targets[:5])
    assert digits.data[:5].shape == (5, 28, 28)


def test_torchs_generator_and_torchs_data_sets_are_answered_with_the_line_to_write():
    torch_data = pytest.importorskip("torch.utils.data")
    with pytest.raises(TypeError, match="random_split takes no generator: write seed=0"):
        random_split(Pairs(5), [3, 2], generator=object())
    with pytest.raises(TypeError, match=r"got torch's Subset; from minicnn\.data import MNIST, TensorDataset, Subset"):
        DataLoader(torch_data.Subset(Pairs(5), [0, 1]))
    with pytest.raises(TypeError, match=r"got list; subclass Dataset and define __len__ and __getitem__\."):
        DataLoader([1, 2])
