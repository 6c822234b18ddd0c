"""Data sets in every form that people have: whatever holds them, the same images and
labels come out.
"""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minicnn.data import MNIST, ImageDataset, look, open_dataset
from minicnn.data import __main__ as command
from minicnn.data.idx import write_idx
from minicnn.data.opening import interleaved


def random_set(seed=0, N=12, size=(6, 5), C=1, classes=3):
    """uint8 images (N, H, W) or (N, H, W, 3) that reach 255, and labels (N,) in which
    every class occurs.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (N, *size) if C == 1 else (N, *size, C), dtype=np.uint8)
    images[0].flat[0] = 255
    return images, np.arange(N) % classes


TRAIN, TEST = random_set(0), random_set(1, N=7)


def check(path, train=TRAIN, test=TEST):
    """Both parts hold these very images and labels."""
    for part, (images, labels) in ((True, train), (False, test)):
        found = open_dataset(path, train=part)
        expected = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(found.images, expected)
        np.testing.assert_array_equal(found.labels, labels)
        assert found.labels.dtype == np.int64
        pixels, numbers = found.batch([0, len(labels) - 1])
        np.testing.assert_array_equal(pixels, expected[[0, -1]].astype(np.float32) / np.float32(255))
        assert (pixels.dtype, list(numbers)) == (np.float32, [labels[0], labels[-1]])
    return found


# ---------------------------------------------------------------------------------- IDX

SPELLINGS = [
    "{part}-{kind}-idx{n}-ubyte",
    "{part}-{kind}-idx{n}-ubyte.gz",
    "{part}-{kind}.idx{n}-ubyte",
    "{part}-{kind}-idx{n}-ubyte/{part}-{kind}.idx{n}-ubyte",
    "raw/{part}-{kind}-idx{n}-ubyte",
    "MNIST/raw/{part}-{kind}-idx{n}-ubyte.gz",
    "some-letters-{part}-{kind}-idx{n}-ubyte.gz",
]


def write_pair(folder, spelling, part, images, labels):
    for kind, n, array in (("images", 3, images), ("labels", 1, labels.astype(np.uint8))):
        path = folder / spelling.format(part=part, kind=kind, n=n)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_idx(path, array)
    return path


@pytest.mark.parametrize("test", ["t10k", "test"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_idx_files_under_every_name(tmp_path, spelling, test):
    write_pair(tmp_path, spelling, "train", *TRAIN)
    write_pair(tmp_path, spelling, test, *TEST)
    assert "IDX files" in check(tmp_path).found


def test_one_of_several_idx_sets_is_named_by_a_file_of_it(tmp_path):
    for name, images in (("a", TRAIN[0]), ("b", TRAIN[0] ^ 255)):
        last = write_pair(tmp_path, name + "-{part}-{kind}-idx{n}-ubyte", "train", images, TRAIN[1])
    with pytest.raises(ValueError, match="holds several data sets: 'a', 'b'. Name a file of the one that you mean"):
        open_dataset(tmp_path)
    np.testing.assert_array_equal(open_dataset(last).images[:, 0], TRAIN[0] ^ 255)


def test_emnist_is_turned_back_and_its_mapping_names_the_classes(tmp_path):
    write_pair(tmp_path, "emnist-letters-{part}-{kind}-idx{n}-ubyte.gz", "train", TRAIN[0].swapaxes(1, 2), TRAIN[1])
    write_pair(tmp_path, "emnist-letters-{part}-{kind}-idx{n}-ubyte.gz", "test", TEST[0].swapaxes(1, 2), TEST[1])
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n")
    found = check(tmp_path)
    assert found.classes == ["0", "A/a", "B/b"]
    assert "they were turned back" in " ".join(found.notes)


def test_qmnists_table_of_labels_begins_with_the_class(tmp_path):
    table = np.arange(12 * 8, dtype=np.int32).reshape(12, 8)
    table[:, 0] = TRAIN[1]
    write_idx(tmp_path / "qmnist-train-images-idx3-ubyte.gz", TRAIN[0])
    write_idx(tmp_path / "qmnist-train-labels-idx2-int.gz", table)
    found = open_dataset(tmp_path)
    np.testing.assert_array_equal(found.labels, TRAIN[1])
    assert "column 0 of QMNIST's table" in " ".join(found.notes)


@pytest.mark.parametrize(("folder", "third"), [("FashionMNIST", "Pullover"), ("KMNIST", "su"), ("anything", "2")])
def test_classes_are_called_as_in_their_set(tmp_path, folder, third):
    write_pair(tmp_path / folder, "raw/{part}-{kind}-idx{n}-ubyte", "train", *TRAIN)
    assert open_dataset(tmp_path / folder).classes[2] == third


def test_the_bundled_digits_through_the_general_reader_are_the_same(tmp_path):
    digits = MNIST()
    write_pair(tmp_path, SPELLINGS[0], "train", digits.images, digits.labels)
    found = open_dataset(tmp_path)
    for ours, theirs in zip(found.batch(range(100)), digits.batch(range(100)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# --------------------------------------------------------------------------- containers


def as_npz(folder, names):
    path = folder / "set.npz"
    np.savez(path, **dict(zip(names, (*TRAIN, *TEST), strict=True)))
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_val", "Y_val"),
    ],
)
def test_npz(tmp_path, names):
    check(as_npz(tmp_path, names))
    check(tmp_path)


def test_an_npz_with_test_and_val_takes_test(tmp_path):
    """As MedMNIST has both; the labels are a column there."""
    path = tmp_path / "medmnist.npz"
    other = random_set(5)
    np.savez(
        path,
        train_images=TRAIN[0],
        train_labels=TRAIN[1][:, None],
        val_images=other[0],
        val_labels=other[1],
        test_images=TEST[0],
        test_labels=TEST[1][:, None],
    )
    check(path)


def test_npz_with_a_file_for_each_array(tmp_path):
    for part, (images, labels) in (("train", TRAIN), ("test", TEST)):
        np.savez(tmp_path / f"k49-{part}-imgs.npz", images)
        np.savez(tmp_path / f"k49-{part}-labels.npz", labels)
    check(tmp_path)
    check(tmp_path / "k49-train-imgs.npz")


def write_table(path, images, labels, header, where):
    columns = images.reshape(len(images), -1)
    column = labels[:, None]
    table = columns if where is None else np.hstack([column, columns] if where == "first" else [columns, column])
    names = [f"pixel{i}" for i in range(columns.shape[1])]
    names = names if where is None else ["label", *names] if where == "first" else [*names, "label"]
    lines = [",".join(names)] if header else []
    text = "\n".join([*lines, *(",".join(map(str, row)) for row in table.tolist())]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


SQUARES = [(images[:, :5, :].copy(), labels) for images, labels in (TRAIN, TEST)]
for images, _ in SQUARES:
    images[:, [0, -1], [0, -1]] = 0  # the corners are empty, as in every set of digits


@pytest.mark.parametrize(("header", "where"), [(True, "first"), (True, "last"), (False, "first"), (False, "last")])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_tables_of_pixels(tmp_path, ending, header, where):
    for part, (images, labels) in zip(("train", "test"), SQUARES, strict=True):
        write_table(tmp_path / f"mnist_{part}{ending}", images, labels, header, where)
    check(tmp_path, *SQUARES)


def test_kaggles_test_table_without_labels_is_left_alone(tmp_path):
    write_table(tmp_path / "train.csv", *SQUARES[0], header=True, where="first")
    write_table(tmp_path / "test.csv", *SQUARES[1], header=True, where=None)
    parts = [open_dataset(tmp_path, train=part) for part in (True, False)]
    together = np.concatenate([part.images for part in parts])
    assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in SQUARES[0][0])
    with pytest.raises(ValueError, match=r"table test.csv has images without labels: nothing can be learnt"):
        open_dataset(tmp_path / "test.csv")


def write_pictures(folder, images, labels, ending, names="abc"):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / names[label] / f"{number:03d}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("test", ["test", "val"])
def test_folders_of_pictures(tmp_path, colours, test):
    sets = random_set(0, C=colours), random_set(1, N=9, C=colours)
    for part, (images, labels) in zip(("train", test), sets, strict=True):
        write_pictures(tmp_path / part, images, labels, ".png")
    found = check(tmp_path, *sets)  # in which the classes take turns
    assert found.classes == ["a", "b", "c"]
    assert found.input_shape == (colours, 6, 5)


def test_a_folder_for_each_class_is_divided(tmp_path):
    images, labels = random_set(2, N=70, classes=2)
    write_pictures(tmp_path, images, labels, ".png", ("cat", "dog"))
    train, test = (open_dataset(tmp_path, train=part) for part in (True, False))
    assert (len(train), len(test), train.classes) == (60, 10, ["cat", "dog"])
    assert set(test.labels) == {0, 1}
    together = np.concatenate([train.images[:, 0], test.images[:, 0]])
    assert sorted(one.tobytes() for one in together) == sorted(one.tobytes() for one in images)
    assert "every 7th of them" in " ".join(train.notes)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_classes_that_come_sorted_take_turns(counts):
    labels = np.sort(counts)
    order = interleaved(labels)
    assert sorted(order) == list(range(len(labels)))
    seen = {label: [] for label in labels}
    for place, label in enumerate(labels[order]):
        seen[label].append(place)
    for k in range(max(map(len, seen.values()))):  # everybody's k-th turn comes before anybody's next
        kth = [places[k] for places in seen.values() if len(places) > k]
        later = [places[k + 1] for places in seen.values() if len(places) > k + 1]
        assert max(kth) < min(later, default=len(labels))
    for label in seen:
        assert (np.diff(order[labels[order] == label]) > 0).all()  # within a class the order stays


def test_grey_pictures_of_16_bits_are_scaled_and_not_cut_off(tmp_path):
    images, labels = random_set(3, N=9)
    write_pictures(tmp_path / "train", images.astype(np.uint16) * 257, labels, ".png")
    write_pictures(tmp_path / "test", images.astype(np.uint16) * 257, labels, ".tif")
    check(tmp_path, (images, labels), (images, labels))


def test_pictures_of_two_sizes_are_refused_with_the_way_to_one(tmp_path):
    write_pictures(tmp_path, *TRAIN, ".png")
    Image.new("L", (9, 9)).save(tmp_path / "b" / "999.png")
    with pytest.raises(ValueError, match=r"999\.png has 9x9 pixels and .* 6x5: all pictures .*`mogrify -resize 5x6!"):
        open_dataset(tmp_path)


def test_cifars_binary_form(tmp_path):
    sets = random_set(0, N=9, size=(32, 32), C=3, classes=10), random_set(1, N=5, size=(32, 32), C=3, classes=10)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = [
        np.hstack([labels[:, None].astype(np.uint8), images.transpose(0, 3, 1, 2).reshape(len(images), -1)])
        for images, labels in sets
    ]
    records[0][:4].tofile(folder / "data_batch_1.bin")
    records[0][4:].tofile(folder / "data_batch_2.bin")
    records[1].tofile(folder / "test_batch.bin")
    assert check(tmp_path, *sets).classes[3] == "cat"
    assert check(folder, *sets).input_shape == (3, 32, 32)


def test_cifars_pickles_are_not_opened(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(
        ValueError, match="its Python form, pickles that could run code and are not opened. Take the binary"
    ):
        open_dataset(tmp_path)


def test_parquet_with_pictures_as_the_hub_serves_it(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    info = {"info": {"features": {"label": {"names": ["zero", "one", "two"], "_type": "ClassLabel"}}}}
    for part, (images, labels) in (("train", TRAIN), ("test", TEST)):
        rows = []
        for image in images:
            content = io.BytesIO()
            Image.fromarray(image).save(content, "png")
            rows.append({"bytes": content.getvalue(), "path": None})
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({"image": pa.array(rows, kind), "label": pa.array(labels.tolist(), pa.int64())})
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
        parquet.write_table(table, tmp_path / f"{part}-00000-of-00001.parquet")
    assert check(tmp_path).classes == ["zero", "one", "two"]
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        open_dataset(tmp_path)


def test_matlab_with_the_images_last(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    sets = random_set(0, C=3), random_set(1, N=7, C=3)
    for part, (images, labels) in zip(("train", "test"), sets, strict=True):
        arrays = {"X": np.moveaxis(images, 0, -1), "y": labels[:, None]}
        scipy_io.savemat(tmp_path / f"{part}_32x32.mat", arrays)
    check(tmp_path, *sets)
    whole = (tmp_path / "train_32x32.mat").read_bytes()
    (tmp_path / "train_32x32.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be read as a .mat file"):
        open_dataset(tmp_path)


def test_hdf5_with_groups(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "set.h5"
    with h5py.File(path, "w") as file:
        for part, (images, labels) in (("train", TRAIN), ("test", TEST)):
            file[f"{part}/data"] = images
            file[f"{part}/target"] = labels
    check(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        open_dataset(path)


# ------------------------------------------------------------------- numbers and labels


@given(st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_bytes_come_back_whatever_type_holds_them(tmp_path_factory, seed, dtype):
    """Parts of 1, whole numbers or yes and no: nothing is scaled twice, nothing is lost."""
    images, labels = random_set(seed)
    stored = images.astype(dtype)
    if dtype.startswith("float"):
        stored = stored / np.dtype(dtype).type(255)
    if dtype == "bool":
        images = stored * np.uint8(255)
    path = tmp_path_factory.mktemp("npz") / "set.npz"
    np.savez(path, x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    np.testing.assert_array_equal(open_dataset(path).images[:, 0], images)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (TRAIN[0] / 255 - 0.5, TRAIN[1], "expected pixels from 0 to 255 or from 0 to 1, found -0.5 to 0.5. Undo"),
        (TRAIN[0] * 1.01, TRAIN[1], "expected whole numbers from 0 to 255 or parts of 1, found parts of 257.55"),
        (TRAIN[0].astype(int) * 1000, TRAIN[1], "expected pixels up to 255"),
        (np.full(TRAIN[0].shape, np.nan), TRAIN[1], "found nan to nan"),
        (TRAIN[0].astype("U3"), TRAIN[1], "expected numbers as pixels, found <U3"),
        (TRAIN[0][0], TRAIN[1], r"expected images of one channel or three, .*; found \(6, 5\)"),
        (np.zeros((12, 4, 4, 2), np.uint8), TRAIN[1], r"found \(12, 4, 4, 2\)"),
        (TRAIN[0], TRAIN[1][:-1], r"expected a label for each image, whole numbers \(N,\); found int64 \(11,\) for 12"),
        (TRAIN[0], TRAIN[1] - 1, "expected labels from 0 to 999, found -1 to 1"),
        (TRAIN[0], TRAIN[1] + 0.5, "expected whole numbers as labels, found fractions"),
        (TRAIN[0], TRAIN[1].astype("U1"), r"found <U1 \(12,\)"),
        (TRAIN[0][:0], TRAIN[1][:0], "holds no train images; expected at least one"),
    ],
)
def test_what_cannot_be_learnt_from_is_a_sentence(tmp_path, images, labels, words):
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels)
    with pytest.raises(ValueError, match=words):
        open_dataset(tmp_path / "set.npz")


def test_one_hot_labels_become_numbers(tmp_path):
    one_hot = np.eye(3)[TRAIN[1]]
    np.savez(tmp_path / "set.npz", x_train=TRAIN[0], y_train=one_hot, x_test=TRAIN[0], y_test=one_hot)
    found = open_dataset(tmp_path / "set.npz")
    np.testing.assert_array_equal(found.labels, TRAIN[1])
    assert "one-hot labels became numbers" in found.notes


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("set.zip", b"PK\x03\x04" + bytes(300), r"this is a zip archive. Unpack it \(unzip set.zip\)"),
        ("set.tar", bytes(257) + b"ustar" + bytes(300), r"this is an archive. Unpack it \(tar xf set.tar\)"),
        ("set.pkl", b"\x80\x04\x95" + bytes(300), "this is a pickle, which could run code and is not opened"),
        ("set.bin", b"\x01\x02\x03" + bytes(300), "found a file that begins with 01 02 03 00 00 00 00 00"),
        ("set.csv", b"a,b\n1,2\n", "expected IDX files"),
        ("empty", b"", "found a file that begins with nothing"),
    ],
)
def test_what_no_reader_knows_is_told(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        open_dataset(tmp_path / name)


def test_an_archive_that_promises_too_much_is_not_unpacked(tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY")
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02") + 24  # the size after unpacking, in the directory
    whole[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(bytes(whole))
    with pytest.raises(ValueError, match=r"x_train.npy: 4,294,967,294 bytes are promised|cannot be read as .npz"):
        open_dataset(path)


def test_an_archive_with_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=TRAIN[0], y_train=np.array([{}, []], object))
    with pytest.raises(ValueError, match="cannot be read as .npz: Object arrays cannot be loaded"):
        open_dataset(tmp_path / "set.npz")


# ----------------------------------------------------------------------------- the look


def dataset(images, labels, classes=("a", "b", "c")):
    return ImageDataset(images[:, None], labels, classes)


def test_nothing_is_odd_about_random_images():
    assert look.oddities(dataset(*TRAIN), dataset(*TEST)) == []


def test_what_is_odd_is_counted():
    train, test = (np.array(TRAIN[0]), TRAIN[1]), (np.array(TEST[0]), TEST[1])
    test[0][:3] = train[0][:3]
    train[0][4] = 7  # of one grey level
    train[0][6] = train[0][5]
    sentences = look.oddities(dataset(*train), dataset(test[0][test[1] < 2], test[1][test[1] < 2]))
    assert sentences[0].startswith("2 of the 5 test images (40%) are also training images")
    assert "1 class has no test images: c." in sentences
    assert "1 training images are empty: one grey level all over." in sentences
    assert "1 of the 12 training images are there more than once." in sentences


@pytest.mark.parametrize("seed", range(3))
def test_transposed_digits_are_noticed_and_upright_ones_are_not(seed):
    digits = MNIST(train=False)
    chosen = np.random.default_rng(seed).choice(1000, 500, replace=False)
    images, labels = digits.images[chosen], digits.labels[chosen]
    classes = [str(digit) for digit in range(10)]
    assert look.transposed(dataset(images, labels, classes)) == ""
    assert "look transposed, as EMNIST" in look.transposed(dataset(images.swapaxes(1, 2), labels, classes))


def test_the_command_shows_counts_and_what_is_odd_and_draws(tmp_path, capsys):
    path = as_npz(tmp_path, ("x_train", "y_train", "x_test", "y_test"))
    assert command.main([str(path), "--plot", str(tmp_path / "samples.png")]) == 0
    printed = capsys.readouterr().out
    assert "12 train images, 6 x 5, grey, 3 classes" in printed
    assert "Nothing odd was found." in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["0", "0", "4", "3"] in rows
    assert ["all", "12", "7"] in rows
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size[0] > 500
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "nothing")])
    assert "there is no such file or folder" in capsys.readouterr().err
