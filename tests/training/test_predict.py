"""minicnn.predict and minicnn.evaluate: what they answer, show, write and refuse."""

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import minicnn
from minicnn import evaluate, models, predict, train
from minicnn.data import MNIST, Subset
from minicnn.data.idx import write_idx
from minicnn.tasks.classifier import worst_confusions
from minicnn.trained import Trained
from tests.support.commands import environment, refused

TEST = MNIST(train=False)
COLUMNS = ["image", "prediction", "probability", *(f"p_{digit}" for digit in range(10)), "remark", "error"]


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    """SimpleCNN after one epoch on the bundled images: about 90 % right."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    before = minicnn.get_backend()
    assert train.main(["--epochs", "1", "--quiet", "--no-plots", "--threads", "1", "--out", str(folder)]) == 0
    trained = Trained(folder)
    for count in (1, 3, 100):  # compiled now, so that no test is told of it
        trained.probabilities(TEST.images[:count])
    minicnn.set_backend(before)
    return folder


@pytest.fixture
def run(trained_run):
    """A copy of that run in the test's own folder."""
    shutil.copytree(trained_run, "run")
    return "run"


def save_digits(count, change=lambda digit: digit):
    names = []
    for index in range(count):
        names.append(f"digit{index:03}.png")
        Image.fromarray(change(TEST.images[index])).save(names[-1])
    return names


def read_csv(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    assert not rows or list(rows[0]) == COLUMNS
    return rows


def answers(capsys, run, names, *flags):
    """The predictions from the CSV on standard output."""
    status = predict.main([run, *names, "--csv", "-", "--no-plots", *flags])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return read_csv(out)


# -------------------------------------------------------------------------------------- predict


def test_images_of_mnist_get_the_very_answers_of_the_run(run, capsys):
    rows = answers(capsys, run, save_digits(100))
    right = sum(int(row["prediction"]) == label for row, label in zip(rows, TEST.labels, strict=False))
    model = models.SimpleCNN()
    model.load_state_dict(load_file("run/model.safetensors"))
    logits = model.eval()(TEST.batch(range(100))[0])
    assert [int(row["prediction"]) for row in rows] == logits.argmax(axis=1).tolist()
    assert right == (logits.argmax(axis=1) == TEST.labels[:100]).sum() > 80
    odds = np.exp(logits.astype(float))
    expected = odds / odds.sum(axis=1, keepdims=True)
    found = np.array([[float(row[f"p_{digit}"]) for digit in range(10)] for row in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert [float(row["probability"]) for row in rows] == found.max(axis=1).tolist()


def enlarged(digit):
    return np.asarray(Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC))


def coloured(digit):
    share = enlarged(digit)[:, :, None] / 255
    return np.uint8(share * [30, 60, 160] + (1 - share) * [250, 230, 180])


def moved(digit):
    canvas = np.zeros((300, 400), np.uint8)
    canvas[10:150, 230:370] = Image.fromarray(digit).resize((140, 140))
    return canvas


def photographed(digit):
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    noise = np.random.default_rng(int(digit.sum())).normal(0, 5, x.shape)
    return np.uint8((180 - 30 * (x**2 + y**2) - 15 * x - 80 * (moved(digit) / 255) + noise).clip(0, 255))


@pytest.mark.parametrize("change", [enlarged, coloured, moved, photographed, lambda digit: 255 - digit])
def test_changed_digits_are_recognised_nearly_as_often(run, capsys, change):
    """If one answer in 50 were lost, more than 10 of 200 would be lost once in 400 times."""
    originals = Trained(run).probabilities(TEST.images[:200]).argmax(axis=1)
    before = (originals == TEST.labels[:200]).sum()
    rows = answers(capsys, run, save_digits(200, change))
    after = sum(int(row["prediction"]) == label for row, label in zip(rows, TEST.labels, strict=False))
    assert before > 160
    assert after >= before - 10


def test_shows_the_digit_beside_its_probabilities(run, capsys):
    (name,) = save_digits(1)
    assert predict.main([run, name]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert max(map(len, lines)) < 80
    assert lines[0].startswith(f"{name}: 7 (") and lines[0].endswith("%)  [taken as it is]")
    shares = [float(line.split("│")[2].split()[1].rstrip("%")) for line in lines[4:14]]
    assert [line.split("│")[2].split()[0] for line in lines[4:14]] == list("0123456789")
    assert sum(shares) == pytest.approx(100, abs=0.05)
    assert shares.index(max(shares)) == 7
    assert lines[-1] == f"Written: {Path('run/predictions.png')}"
    with Image.open("run/predictions.png") as image:
        assert image.format == "PNG"
        assert image.width > 2 * image.height


def test_a_picture_of_characters():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[0, 0], pixels[3, 1], pixels[4:6, 2], pixels[6:8, 3], pixels[8:10, 4] = 255, 255, 255, 40, 100
    blocks = predict.picture(pixels, solid=True)
    assert [line.rstrip("│ ") for line in blocks[1:7]] == ["│▀", "│ ▄", "│  █", "│   ░", "│    ▒", ""]
    plain = predict.picture(pixels, solid=False)
    assert plain[0] == "+" + 28 * "-" + "+"
    assert [line.strip("| ") for line in plain[1:7]] == ["=", "=", "@", ".", "-", ""]
    assert {len(line) for line in blocks + plain} == {30}
    assert {len(blocks), len(plain)} == {16}


def test_a_doubt_is_said_beside_the_answer_and_in_the_table(run, capsys):
    two = np.hstack([enlarged(TEST.images[0]), enlarged(TEST.images[1])])
    Image.fromarray(two).save("two.png")
    assert predict.main([run, "two.png", "--no-plots", "--csv", "out.csv"]) == 0
    remark = "2 digits side by side? --split reads each"
    assert f"({remark}!)" in capsys.readouterr().out
    assert [row["remark"] for row in read_csv(Path("out.csv").read_text())] == [remark]
    rows = answers(capsys, run, ["two.png"], "--split")
    assert [(row["image"], row["prediction"]) for row in rows] == [("two.png, digit 1", "7"), ("two.png, digit 2", "2")]


def test_wildcards_that_the_shell_left_alone_are_expanded(run, capsys):
    names = save_digits(3)
    assert [row["image"] for row in answers(capsys, run, ["digit*.png"])] == names
    Image.fromarray(TEST.images[0]).save("digit[0].png")  # a file of that very name is that file
    assert [row["image"] for row in answers(capsys, run, ["digit[0].png"])] == ["digit[0].png"]
    assert "no file is called scans*.jpg" in refused(capsys, predict, run, "scans*.jpg")


def test_a_network_that_learnt_other_images_gets_those_of_28x28_as_they_are(run, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    write_test_images("others", noise, np.arange(20) % 10)
    config = json.loads(Path(run, "config.json").read_text())
    Path(run, "config.json").write_text(json.dumps(config | {"data": "others"}))
    Image.fromarray(noise[0]).save("noise.png")
    Image.fromarray(enlarged(TEST.images[0])).save("large.png")
    assert predict.main([run, "noise.png", "large.png", "--csv", "-", "--no-plots"]) == 0
    as_is, fitted = read_csv(capsys.readouterr().out)
    expected = Trained(run).probabilities(noise[:1])[0]
    np.testing.assert_allclose([float(as_is[f"p_{k}"]) for k in range(10)], expected, rtol=1e-5)
    assert as_is["remark"] == ""
    assert fitted["remark"] == "the network learnt other images than digits, and this was fitted as a digit is"


@pytest.mark.parametrize(("encoding", "shows"), [("utf-8", True), ("cp437", True), ("ascii", False), (None, False)])
def test_which_terminals_show_blocks(encoding, shows):
    assert predict.shows_blocks(encoding) is shows


def test_a_plain_terminal_gets_plain_characters(run):
    (name,) = save_digits(1)
    found = start("minicnn.predict", run, name, "--no-plots", PYTHONIOENCODING="ascii")
    assert found.returncode == 0
    assert "|" + 28 * " " + "|" in found.stdout
    assert found.stdout.isascii()


def test_many_images_get_a_line_each_a_table_and_one_picture(run, capsys, monkeypatch):
    monkeypatch.setattr(predict, "ON_SHEET", 5)
    names = save_digits(predict.IN_FULL + 1)
    assert predict.main([run, *names, "--csv", "out.csv", "--out", "sheet.png"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == names
    assert lines[-1] == "Written: out.csv, sheet.png"
    assert [row["image"] for row in read_csv(Path("out.csv").read_text())] == names
    with Image.open("sheet.png") as sheet:
        assert sheet.width == 1950
        assert sheet.height > 1000  # three rows
    assert not Path("run/predictions.png").exists()


def test_images_that_fail_are_named_and_the_others_answered(run, capsys):
    (name,) = save_digits(1)
    Path("text.png").write_text("hello")
    Image.new("L", (50, 50), 200).save("empty.png")
    assert predict.main([run, "text.png", name, "empty.png", "--csv", "out.csv", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    errors = [
        "text.png is not an image that Pillow can read, such as PNG or JPEG.",
        "empty.png: expected a digit, found one colour all over, (200,).",
    ]
    assert err.splitlines() == [*errors, "2 of 3 images could not be read."]
    rows = read_csv(Path("out.csv").read_text())
    assert [row["error"] for row in rows] == [errors[0], "", errors[1]]
    assert [row["prediction"] for row in rows] == ["", "7", ""]


def test_a_link_to_itself_is_an_image_that_fails_and_no_data_set(run, capsys):
    (name,) = save_digits(1)
    for loop in ("loop.png", "loop.csv", "data"):
        os.symlink(loop, loop)
    assert predict.main([run, "loop.png", name, "--csv", "out.csv", "--no-plots"]) == 1
    assert [row["prediction"] for row in read_csv(Path("out.csv").read_text())] == ["", "7"]
    said = capsys.readouterr().err  # the system's words, or those of an older Pillow
    assert (
        "Too many levels of symbolic links: 'loop.png'" in said
        or "loop.png: the image is damaged: Symlink loop" in said
    )
    with contextlib.suppress(OSError):  # the link is replaced, or kept; it is no traceback
        predict.main([run, name, "--csv", "loop.csv", "--no-plots"])
    assert evaluate.compare(Trained(run), None, 1000, 0) != ""
    config = json.loads(Path(run, "config.json").read_text())
    Path(run, "config.json").write_text(json.dumps(config | {"data": "data"}))
    write_test_images("others", TEST.images[:5], TEST.labels[:5])
    assert evaluate.compare(Trained(run), Path("others"), 1000, 0) == ""


def test_in_a_folder_that_is_gone_an_image_is_answered_and_the_table_named(run):
    (name,) = save_digits(1)
    flags = [os.path.abspath(run), os.path.abspath(name), "--no-plots", "--backend", "numpy"]
    code = "import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\nfrom minicnn import command, predict\n"
    code += f"command.start(lambda: predict.main({[*flags, '--csv', 'out.csv']}))"
    found = subprocess.run([sys.executable, "-c", code], check=False, env=environment(), capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (1, "[Errno 2] No such file or directory: 'out.csv'.\n")
    assert ": 7 (" in found.stdout


def test_any_name_of_a_file_can_be_shown(run):
    names = ["price $5 and $6.png", "七.png", 'a "quoted", name.png', "-7.png", "x" * 100 + ".png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"caf\xe9.png"))  # no UTF-8
    for name in names:
        Image.fromarray(TEST.images[0]).save(name)
    found = start("minicnn.predict", run, "--csv", "out.csv", "--", *names)
    assert (found.returncode, found.stderr) == (0, "")
    rows = read_csv(Path("out.csv").read_text(encoding="utf-8"))
    assert [row["image"] for row in rows][:5] == names[:5]


def test_as_is(run, capsys):
    names = save_digits(1, lambda digit: np.roll(digit, 6, axis=1))
    (plain,), (as_is,) = answers(capsys, run, names), answers(capsys, run, names, "--as-is")
    assert plain["probability"] != as_is["probability"]


def test_the_backend_is_the_runs_unless_another_is_named(run, capsys):
    names = save_digits(1)
    answers(capsys, run, names)
    assert minicnn.get_backend() == "numba"
    answers(capsys, run, names, "--backend", "numpy")
    assert minicnn.get_backend() == "numpy"
    assert "'abacus'" in refused(capsys, predict, run, *names, "--backend", "abacus")


def test_a_parity_run_says_even_or_odd(run, capsys):
    model = models.ParityCNN()
    Path("parity").mkdir()
    Path("parity/config.json").write_text(json.dumps({"network": "ParityCNN", "task": "parity"}))
    save_file(model.state_dict(), "parity/model.safetensors")
    names = save_digits(20)
    assert predict.main(["parity", *names, "--csv", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["image", "prediction", "probability", "p_even", "p_odd", "remark", "error"]
    images, labels = TEST.batch(range(20))
    logits = models.SimpleCNN.forward(model, images)[:, 0]
    assert [row["prediction"] for row in rows] == ["odd" if logit > 0 else "even" for logit in logits]
    np.testing.assert_allclose([float(row["p_odd"]) for row in rows], 1 / (1 + np.exp(-logits)), rtol=1e-5)

    assert evaluate.main(["parity", "--csv", "-"]) == 0
    even, odd = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (even["name"], odd["name"]) == ("even", "odd")
    assert int(odd["images"]) == (TEST.labels % 2).sum()

    counts, loss = evaluate.count_answers(Trained("parity"), Subset(TEST, range(20)), 7)
    assert counts.tolist() == [[sum((labels % 2 == i) & ((logits > 0) == j)) for j in range(2)] for i in range(2)]
    expected = np.log1p(np.exp(np.where(labels % 2 == 1, -logits, logits))).mean()
    assert loss == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------------------- both: no such run


@pytest.mark.parametrize(("module", "more"), [(predict, ["x.png"]), (evaluate, [])])
def test_what_is_no_run_is_refused(run, capsys, module, more):
    def refuse(name="run"):
        return refused(capsys, module, name, *more)

    expected = "expected a run folder, as python -m minicnn.train leaves it (runs/simplecnn-seed0); "
    assert refuse("nowhere") == f"{expected}nowhere is not there."
    Path("file").write_text("")
    assert refuse("file") == f"{expected}file is a file."
    Path("folder").mkdir()
    assert refuse("folder") == f"{expected}folder holds no config.json."

    config = Path("run/config.json")
    with config.open("r+b") as file:
        file.truncate(2**20 + 1)
    assert refuse() == (
        f"{config} has more than 1,048,576 bytes; a training writes a few hundred. Train again, or copy it anew."
    )
    damaged = f"{config} is damaged: "
    for content in (b"{", b"\xff\xfe", b"[" * 100_000):
        config.write_bytes(content)
        assert refuse().startswith(damaged)
    for content in ("[]", "{}", '{"network": 5}'):
        config.write_text(content)
        assert refuse() == f'{config}: expected an object with "network", the name of the network; found none.'
    for name in ("Generator", "Linear", "nn", "__doc__"):
        config.write_text(json.dumps({"network": name}))
        assert refuse() == f"run holds {name!r}, which does not learn digits; expected SimpleCNN."
    for task in ("generator", "chess", 5):
        config.write_text(json.dumps({"network": "SimpleCNN", "task": task}))
        expected = "expected the run folder of a training of digits or parity."
        assert refuse() == f"run learnt the task '{task}'; {expected}"


@pytest.mark.parametrize(("module", "more"), [(predict, ["x.png"]), (evaluate, [])])
def test_weights_that_do_not_fit_are_refused(run, capsys, module, more):
    weights = Path("run/model.safetensors")
    good = load_file(weights)
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    assert refused(capsys, module, run, *more).startswith(f"{weights} is not a whole safetensors file: ")
    save_file({**good, "cnn.0.weight": np.zeros((3, 3), np.float32)}, weights)
    sentence = refused(capsys, module, run, *more)
    assert sentence.startswith(f"{weights} does not fit: SimpleCNN cannot load this state_dict:")
    assert "cnn.0.weight: expected shape (16, 1, 5, 5), got (3, 3)" in sentence
    save_file({**good, "cnn.0.bias": np.full(16, np.nan, np.float32)}, weights)
    expected = f"{weights} holds NaN or infinity: its training diverged. Train with a smaller --lr."
    assert refused(capsys, module, run, *more) == expected
    save_file({**good, "cnn.0.bias": good["cnn.0.bias"].astype(np.float64)}, weights)
    assert refused(capsys, module, run, *more) == (
        f"{weights}: expected one dtype for all tensors, found float32 (linear_block.2.bias) and float64 (cnn.0.bias). "
        "Save them all as float32."
    )
    weights.unlink()
    assert refused(capsys, module, run, *more) == (
        "run holds no model.safetensors: its training finished no epoch. Train again."
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--out", "x.jpg"], "argument --out: expected a file name that ends in .png, got 'x.jpg'"),
        (["--csv", "x.png"], "argument --csv: expected a file name that ends in .csv, got 'x.png'"),
        (["--csv", "no/x.csv"], "argument --csv: there is no folder 'no' to write 'no/x.csv' into"),
        (["--out", "./digit000.png"], "--out digit000.png is one of the images, which are never overwritten."),
    ],
)
def test_files_that_cannot_be_written_are_refused_first(run, capsys, flags, sentence):
    assert refused(capsys, predict, run, *save_digits(1), *flags) == sentence


def test_a_slip_does_not_overwrite_the_weights(run, capsys):
    sentence = refused(capsys, evaluate, run, "--csv", "run/model.safetensors")
    assert sentence == "argument --csv: expected a file name that ends in .csv, got 'run/model.safetensors'"


@pytest.mark.parametrize(
    ("module", "flag", "name"),
    [(evaluate, "--csv", "metrics.csv"), (predict, "--csv", "metrics.csv"), (predict, "--out", "history.png")],
)
def test_what_the_training_left_is_not_overwritten(run, capsys, module, flag, name):
    images = save_digits(1) if module is predict else []
    Path("run/history.png").touch()
    os.symlink(f"run/{name}", f"link{name[-4:]}")
    for said in (f"run/{name}", f"link{name[-4:]}"):
        expected = f"argument {flag}: {said!r} is what the training left in its run folder: name another file"
        assert refused(capsys, module, run, *images, flag, said) == expected
    os.unlink(f"link{name[-4:]}")
    assert module.main([run, *images, flag, name]) == 0  # a file of that name elsewhere


def test_predict_draws_into_the_run_folder_again_and_again(run):
    (name,) = save_digits(1)
    for flags in ([], [], ["--out", "run/predictions.png"]):
        assert predict.main([run, name, *flags]) == 0


def test_no_image_is_refused(run, capsys):
    assert refused(capsys, predict, run) == "the following arguments are required: image"


# ------------------------------------------------------------------------------------- evaluate


def test_the_runs_own_figures_come_out_to_the_last_digit(run, capsys):
    last = Trained(run).last_metrics()
    counts, loss = evaluate.count_answers(Trained(run), TEST, 64)
    assert np.trace(counts) / counts.sum() == last["val_accuracy"]
    assert loss == last["val_loss"]
    assert evaluate.main([run, "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    right = round(1000 * last["val_accuracy"])
    assert f"\nAccuracy   {last['val_accuracy']:.4f} ({right:,} of 1,000), as its last epoch\n" in out
    assert f"\nLoss       {last['val_loss']:.4f}\n" in out
    assert "Data       bundled MNIST: 1,000 test images\nBackend    numba, threads: 1\n" in out
    assert max(map(len, out.splitlines())) < 80


def test_says_so_when_the_weights_are_others_than_the_table_tells_of(run, capsys):
    state = load_file("run/model.safetensors")
    save_file({name: array * np.float32(0.5) for name, array in state.items()}, "run/model.safetensors")
    assert evaluate.main([run]) == 0
    assert "; its last epoch says 0." in capsys.readouterr().out


def test_scores_by_hand():
    """Three classes; nobody was taken for the last one, and there is none of a fourth."""
    counts = np.array([[5, 1, 0, 0], [2, 8, 0, 0], [3, 1, 0, 0], [0, 0, 0, 0]])
    assert evaluate.score(counts, "abcd") == [
        ("a", 6, 5, 5 / 10, 5 / 6, 10 / 16),
        ("b", 10, 8, 8 / 10, 8 / 10, 16 / 20),
        ("c", 4, 0, None, 0.0, 0.0),
        ("d", 0, 0, None, None, None),
    ]
    confusions = ["c read as a (3x)", "b read as a (2x)", "a read as b (1x)", "c read as b (1x)"]
    assert worst_confusions(counts, "abcd", 5) == confusions
    assert worst_confusions(counts, "abcd") == confusions[:3]
    table = evaluate.class_table(evaluate.score(counts, "abcd")).splitlines()
    assert table[1].split() == ["a", "6", "5", "0.5000", "0.8333", "0.6250"]
    assert table[4].split() == ["d", "0", "0", "-", "-", "-"]
    matrix = evaluate.confusion_table(counts, "abcd").splitlines()
    assert [line.split() for line in matrix[1:]] == [
        *(["a", "5", "1", ".", "."], ["b", "2", "8", ".", "."], ["c", "3", "1", ".", "."], ["d", ".", ".", ".", "."])
    ]


def test_rows_are_the_truth(run):
    """The matrix counts what the network answers, image by image."""
    trained = Trained(run)
    counts, _ = evaluate.count_answers(trained, TEST, 300)
    predictions = trained.model(TEST.batch(range(len(TEST)))[0]).argmax(axis=1)
    for truth, read in np.ndindex(10, 10):
        assert counts[truth, read] == sum((TEST.labels == truth) & (predictions == read))


def test_the_table_as_csv(run, capsys):
    assert evaluate.main([run, "--csv", "classes.csv"]) == 0
    assert capsys.readouterr().out.endswith("\nWritten: classes.csv\n")
    rows = list(csv.DictReader(Path("classes.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == list("0123456789")
    for digit, row in enumerate(rows):
        assert int(row["images"]) == (TEST.labels == digit).sum() == sum(int(row[f"read_as_{k}"]) for k in range(10))
        assert row["right"] == row[f"read_as_{digit}"]
        assert float(row["recall"]) == int(row["right"]) / int(row["images"])


def write_test_images(folder, images, labels):
    Path(folder).mkdir()
    write_idx(Path(folder) / "t10k-images-idx3-ubyte", images)
    write_idx(Path(folder) / "t10k-labels-idx1-ubyte", np.asarray(labels, np.uint8))
    return folder


def test_another_data_set_in_a_folder(run, capsys):
    folder = write_test_images("data", TEST.images[:30], TEST.labels[:30])
    assert evaluate.main([run, "--data", folder, "--backend", "numpy", "--batch-size", "7"]) == 0
    out = capsys.readouterr().out
    assert "Data       data: 30 test images\nBackend    numpy" in out
    assert " of 30)\n" in out  # and no word about the last epoch, which saw other images


def test_other_weights_of_the_run_folder_are_named_by_their_file(run, capsys, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("*.png", ".lock"))
    blind = {name: np.zeros_like(value) for name, value in minicnn.load(folder / "model.safetensors").items()}
    minicnn.save(blind, folder / "best.safetensors")
    assert Trained(folder / "best.safetensors").folder == folder
    assert evaluate.main([str(folder / "best.safetensors"), "--backend", "numpy"]) == 0
    zeros = (TEST.labels == 0).sum()  # ten equal logits, and the first is taken
    assert f"({zeros} of 1,000)" in capsys.readouterr().out


def test_data_sets_that_it_cannot_read_are_refused(run, capsys):
    reads = "SimpleCNN reads grey images of 28x28 pixels with labels from 0 to 9; --data "
    small = write_test_images("small", np.zeros((3, 8, 9), np.uint8), [0, 1, 2])
    assert refused(capsys, evaluate, run, "--data", small) == f"{reads}small has grey images of 8x9 and labels up to 2."
    letters = write_test_images("letters", np.zeros((3, 28, 28), np.uint8), [0, 1, 25])
    assert (
        refused(capsys, evaluate, run, "--data", letters)
        == f"{reads}letters has grey images of 28x28 and labels up to 25."
    )
    empty = write_test_images("empty", np.zeros((0, 28, 28), np.uint8), [])
    assert (
        refused(capsys, evaluate, run, "--data", empty) == "--data empty holds no test images; expected at least one."
    )
    assert refused(capsys, evaluate, run, "--data", "nowhere").startswith(
        "--data nowhere: there is no such file or folder."
    )


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("--threads", "0", "from 1 to 1024"),
        ("--batch-size", "0", "of at least 1"),
        ("--batch-size", "x", "of at least 1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(run, capsys, flag, value, expected):
    sentence = f"argument {flag}: expected a whole number {expected}, got {value!r}"
    assert refused(capsys, evaluate, run, flag, value) == sentence


# ------------------------------------------------------------------------------------ processes


def start(module, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env=environment(PYTHONUTF8="1", **variables),
    )


@pytest.mark.parametrize(
    ("module", "flags"),
    [("predict", "csv out no-plots as-is backend quiet"), ("evaluate", "data backend threads batch-size csv")],
)
def test_help_is_complete_and_loads_nothing_heavy(module, flags):
    code = f"""
import sys
from minicnn.{module} import main
try:
    main(["--help"])
finally:
    print("heavy:", {{"numba", "matplotlib", "torch", "pooch"}} & set(sys.modules) or None)
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0
    assert "heavy: None" in found.stdout
    assert all(f"--{flag} " in found.stdout for flag in flags.split())
    assert f"examples:\n  python -m minicnn.{module} runs/simplecnn-seed0" in found.stdout


def test_a_closed_pipe_is_no_error_message(run):
    names = save_digits(9)
    command = f"{sys.executable} -m minicnn.predict run {' '.join(names)} --no-plots | true"
    found = subprocess.run(["sh", "-c", command], check=False, env=environment(), capture_output=True, text=True)
    assert found.stderr == ""
