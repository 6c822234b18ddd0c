"""MNIST: the bundled subset, folders as others lay them out, and files that do not fit."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicnn.data import MNIST, DataLoader, Subset, mnist
from minicnn.data.idx import read_idx, write_idx
from minicnn.data.make_subset import LIMIT, SIZES, main, make_subset
from minicnn.data.mnist import BUNDLED, BUNDLED_DIGESTS, to_float

PROJECT = Path(__file__).parents[2]
TRAIN_COUNTS = [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]


@pytest.fixture
def complete():
    folder = Path(os.environ.get("MINICNN_MNIST", PROJECT.parent / "shared" / "data" / "mnist"))
    if not (folder / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"complete MNIST not found in {folder}; set MINICNN_MNIST to its folder")
    return folder


def write_pair(folder, images, labels, split="train", suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{split}-images-idx3-ubyte{suffix}", images)
    write_idx(folder / f"{split}-labels-idx1-ubyte{suffix}", labels)


def random_pair(n=5, H=28, W=28, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, H, W), np.uint8)
    return images, rng.integers(0, 10, n, np.uint8)


# The bundled subset.


def test_bundled_subset_is_the_courses():
    train, test = MNIST(), MNIST(train=False)
    assert (len(train), len(test)) == (5_000, 1_000)
    assert train.images.shape == (5_000, 28, 28) and train.images.dtype == np.uint8
    assert train.labels.shape == (5_000,) and train.labels.dtype == np.int64
    assert np.bincount(train.labels).tolist() == TRAIN_COUNTS
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_bundled_files_are_small_and_untouched():
    files = sorted(BUNDLED.glob("*.gz"))
    assert [path.name for path in files] == sorted(BUNDLED_DIGESTS)
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) <= LIMIT == 1_100_000
    assert all(path.read_bytes()[3:8] == bytes(5) for path in files)  # no name, no time


@pytest.mark.parametrize("name", BUNDLED_DIGESTS)
def test_a_damaged_bundled_file_is_named(tmp_path, monkeypatch, name):
    shutil.copytree(BUNDLED, tmp_path / "files")
    path = tmp_path / "files" / name
    content = bytearray(path.read_bytes())
    content[4] ^= 1  # the time of packing: the images would still be whole
    path.write_bytes(content)
    monkeypatch.setattr(mnist, "BUNDLED", tmp_path / "files")
    with pytest.raises(ValueError, match=rf"{name}: this bundled file is damaged.* expected \w{{64}}"):
        MNIST(train=name.startswith("train"))


def test_bundled_subset_is_the_beginning_of_mnist(complete):
    for train in (True, False):
        subset, full = MNIST(train=train), MNIST(complete, train=train)
        assert len(full) == (60_000 if train else 10_000)
        np.testing.assert_array_equal(subset.images, full.images[: len(subset)])
        np.testing.assert_array_equal(subset.labels, full.labels[: len(subset)])


def test_make_subset_makes_what_is_bundled(complete, tmp_path):
    # Arrays, not bytes: another zlib packs differently.
    for path in make_subset(complete, tmp_path):
        assert path.parent == tmp_path
        np.testing.assert_array_equal(read_idx(path), read_idx(BUNDLED / path.name), strict=True)


def test_make_subset_prints_digests_and_refuses_too_little(tmp_path, monkeypatch, capsys):
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileNotFoundError, match="holds no train images and labels"):
        make_subset(tmp_path / "source", tmp_path / "target")
    for split in SIZES:
        write_pair(tmp_path / "source", *random_pair(), split)
    with pytest.raises(ValueError, match=r"idx3-ubyte: expected at least 5000 entries, found 5\."):
        make_subset(tmp_path / "source", tmp_path / "target")
    paths = make_subset(tmp_path / "source", tmp_path / "target", {"train": 4, "t10k": 2})
    assert [len(read_idx(path)) for path in paths] == [4, 4, 2, 2]

    monkeypatch.setattr("minicnn.data.make_subset.make_subset", lambda folder: paths)
    monkeypatch.setattr(sys, "argv", ["make_subset", "source"])
    main()
    assert capsys.readouterr().out.splitlines()[-1].endswith("bytes of at most 1,100,000")
    monkeypatch.setattr("minicnn.data.make_subset.LIMIT", 10)
    with pytest.raises(SystemExit, match="too big"):
        main()


# An example, a batch.


def test_examples_are_torchvisions_bit_for_bit(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    for path in BUNDLED.glob("*.gz"):
        raw = tmp_path / "MNIST" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for train in (True, False):
        to_tensor = torchvision.transforms.ToTensor()
        theirs = torchvision.datasets.MNIST(tmp_path, train, transform=to_tensor)
        for ours in (MNIST(train=train), MNIST(tmp_path, train)):
            assert len(ours) == len(theirs) and ours.classes == theirs.classes
            np.testing.assert_array_equal(ours.data, theirs.data.numpy(), strict=True)
            np.testing.assert_array_equal(ours.targets, theirs.targets.numpy(), strict=True)
        images, labels = ours.batch(range(len(ours)))
        for i, (torch_image, torch_label) in enumerate(theirs):
            np.testing.assert_array_equal(images[i], torch_image.numpy(), strict=True)
            assert labels[i] == torch_label and type(torch_label) is int
        image, label = ours[-1]
        np.testing.assert_array_equal(image, torch_image.numpy(), strict=True)
        assert label == torch_label and type(label) is int


def test_every_grey_value_is_divided_by_255_and_rounded_once():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert to_float(grey).shape == (1, 16, 16)
    np.testing.assert_array_equal(to_float(grey)[0], (grey / np.float64(255)).astype(np.float32), strict=True)


def test_batches_through_subset_and_loader_are_the_examples():
    train = MNIST()
    loader = DataLoader(Subset(train, range(10, 110)), batch_size=64, shuffle=True, seed=3)
    order = loader.order(0)
    batches = list(loader)
    assert [len(labels) for _, labels in batches] == [64, 36]
    for i, image, label in zip(
        order,
        np.concatenate([images for images, _ in batches]),
        np.concatenate([labels for _, labels in batches]),
        strict=True,
    ):
        np.testing.assert_array_equal(image, train[10 + i][0], strict=True)
        assert label == train[10 + i][1]


def test_targets_can_be_replaced_as_in_torch():
    train = MNIST()
    train.targets = train.targets % 2
    assert train[0][1] == 1 and train.batch([0, 1])[1].tolist() == [1, 0]
    assert round(train.labels.mean(), 3) == 0.507
    train.data, train.targets = train.data[:3], train.targets[:3]
    assert len(train) == 3


def test_bad_index_is_named():
    test = MNIST(train=False)
    assert test[-1][1] == test[999][1]
    with pytest.raises(IndexError, match="MNIST of 1000 examples: expected .* got 1000"):
        test[1000]
    with pytest.raises(IndexError, match="MNIST of 1000 examples: expected .* got -1001"):
        test.batch([0, -1001])


# Folders.


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    "inside, root",
    [
        ("", ""),
        ("MNIST/raw", ""),
        ("FashionMNIST/raw", "FashionMNIST/raw"),
        ("FashionMNIST/raw", "FashionMNIST"),
    ],
)
def test_layouts(tmp_path, inside, root, suffix):
    for split in ("train", "t10k"):
        images, labels = random_pair(seed=len(split))
        write_pair(tmp_path / inside, images, labels, split, suffix)
        found = MNIST(str(tmp_path / root), train=split == "train")
        np.testing.assert_array_equal(found.images, images, strict=True)
        np.testing.assert_array_equal(found.labels, labels)


def test_other_data_sets_may_have_other_sizes_and_classes(tmp_path):
    images, labels = random_pair(4, 20, 31)
    write_pair(tmp_path, images, labels + 30)
    found = MNIST(tmp_path)
    assert found[0][0].shape == (1, 20, 31)
    assert found.classes[found.labels[0]] == str(found.labels[0])


def test_an_empty_set_is_a_set(tmp_path):
    write_pair(tmp_path, *random_pair(0))
    assert len(MNIST(tmp_path)) == 0 and list(DataLoader(MNIST(tmp_path), 64)) == []


def test_a_folder_without_the_pair_is_named(tmp_path):
    write_pair(tmp_path, *random_pair())
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    message = "was expected to hold train-images-idx3-ubyte and .* Pass download=True"
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=message):
            MNIST(root)
    with pytest.raises(ValueError, match=r"download=True needs a folder: MNIST\(root, "):
        MNIST(download=True)


IMAGES, LABELS = random_pair()
MISFITS = {
    "swapped": (LABELS, IMAGES, r"images and labels are swapped: found uint8 \(5,\) in .*images"),
    "counts": (IMAGES, LABELS[:4], r"one label for each image; found uint8 \(5, 28, 28\) .*\(4,\)"),
    "flat": (IMAGES.reshape(5, 784), LABELS, r"uint8 images \(N, H, W\); found uint8 \(5, 784\)"),
    "float images": (IMAGES.astype("f4"), LABELS, r"expected uint8 images .* found float32"),
    "2-D labels": (IMAGES, LABELS[:, None], r"expected integer labels .* uint8 \(5, 1\)"),
    "float labels": (IMAGES, LABELS.astype("f4"), r"expected integer labels .* float32"),
    "negative": (IMAGES, LABELS.astype("i1") - 20, r"labels in 0..255; .* has them from -\d+ to -"),
    "too high": (IMAGES, LABELS.astype("i2") + 256, r"labels in 0..255; .* from 2\d\d to 2\d\d"),
}


@pytest.mark.parametrize("images, labels, message", MISFITS.values(), ids=MISFITS)
def test_files_that_do_not_fit_are_named(tmp_path, images, labels, message):
    write_pair(tmp_path, images, labels)
    with pytest.raises(ValueError, match=message):
        MNIST(tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    write_pair(tmp_path, IMAGES, LABELS, suffix=".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz: expected a whole gzip file"):
        MNIST(tmp_path)


def test_data_needs_neither_torch_nor_kernels_nor_pooch():
    code = "import minicnn.data, sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"torch", "torchvision", "pooch", "tqdm"}
