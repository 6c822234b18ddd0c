"""Who gets which points: right solutions all, a mistake loses its own lines."""

import doctest
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicnn.assignment import __main__ as command
from minicnn.assignment.handout import run_one
from minicnn.assignment.requirements import OPERATIONS, requirements
from minicnn.assignment.skeleton import FUNCTIONS, skeleton
from minicnn.messages import LANGUAGES, missing, texts
from tests.assignment import textbook
from tests.assignment.handed_out import EVERYTHING, assignment, complaints
from tests.inspect.planted import PLANTED

SOLUTION = Path(__file__).parents[1].joinpath("inspect", "solution.py").read_text(encoding="utf-8")
TEXTS = "minicnn.assignment.texts"

FORM = "dtype unchanged again"
POOLING = "plain kernel_pair channels stride stride_pair padding padding_pair negative all dtype unchanged"
OF_ALL_GRADIENTS = (
    "grad_input overlap input_channels grad_weight weight_channels weight_batch grad_bias bias_batch"
    f" stride stride_pair padding padding_pair dilation dilation_pair all {FORM}"
)

# What each planted mistake loses, in their order; < stands for the gradient's lines.
LOSES = [
    "orientation all",
    "padding padding_pair all",
    "padding padding_pair all",
    "stride_pair all",
    "padding_pair all",
    "dilation dilation_pair all",
    "bias all",
    "bias all",
    "channels all",
    "channels all",
    "dtype",
    "unchanged",
    "< overlap all",
    "< grad_input all",
    "< weight_batch all",
    "< weight_batch all",
    "< grad_weight all",
    "< grad_bias all",
    "< bias_batch all",
    f"< {OF_ALL_GRADIENTS}",
    "negative all",
    POOLING,  # no output has the right size
    POOLING,
    "< ties",
    "< ties",
    "< ties",
    "< overlap all",
    "bias all",
    "< batch all",
    "< grad_weight batch all",
    "< again",
    "< zero all",
    f"< plain all {FORM}",
    f"< plain all {FORM}",
    "large all",
    "mean all",
    "< mean all",
    f"< plain mean chain large all {FORM}",
    f"< plain mean chain all {FORM}",
    "mean all",
    "correction all",
    "eps all",
    "decay all",
    "momentum all",
    "plain all",
]


@pytest.fixture(scope="module", params=[0, 1])
def given(request, tmp_path_factory):
    return assignment(tmp_path_factory.mktemp("kit"), seed=request.param)


def loaded(folder, text):
    path = folder / "loaded.py"
    path.write_text(text, encoding="utf-8")
    return run_one.load(path)


def graded(given, folder, text, operation=None):
    """The requirements that are not met."""
    path = folder / "solution.py"
    path.write_text(text, encoding="utf-8")
    with np.errstate(all="ignore"):
        return {name for name, said in complaints(given, path, operation).items() if said}


@pytest.mark.parametrize("text", [SOLUTION, textbook.solution()], ids=["solution", "textbook"])
def test_a_right_solution_has_full_marks(given, tmp_path, text):
    assert graded(given, tmp_path, text) == set()


def test_with_groups_the_textbook_has_full_marks_too(tmp_path):
    given = assignment(tmp_path, ["conv2d"], ["stride", "padding", "dilation", "groups"])
    assert graded(given, tmp_path, textbook.solution()) == set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("mistake", "loses"), list(zip(PLANTED, LOSES, strict=True)), ids=lambda value: value[3] if len(value) == 4 else ""
)
def test_a_planted_mistake_loses_its_lines_and_no_others(given, tmp_path, mistake, loses):
    operation, original, replacement, _ = mistake
    function = f"{operation}_backward" if loses.startswith("< ") else operation
    wanted = {f"{function}.{name}" for name in loses.removeprefix("< ").split()}
    assert graded(given, tmp_path, SOLUTION.replace(original, replacement), operation) == wanted


def test_who_returns_zeros_gets_no_points_for_form(given, tmp_path):
    text = "import numpy as np\n\ndef relu(x):\n    return np.zeros_like(x)\n"
    assert {name for name in graded(given, tmp_path, text, "relu") if name.startswith("relu.")} == {
        f"relu.{name}" for name in ("plain", "all", "dtype", "unchanged")
    }


def test_the_skeleton_has_no_points_yet(given, tmp_path):
    text = skeleton(list(FUNCTIONS), ["stride"], texts(TEXTS, "en"))
    assert graded(given, tmp_path, text) == set(given.requirements)


def test_the_numbers_depend_on_the_seed_and_the_requirements_do_not(tmp_path):
    (tmp_path / "a").mkdir()
    first, second, again = (assignment(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 1), ("c", 0)))
    assert list(first.requirements) == list(second.requirements)
    name = "conv2d.all/0/input"
    assert not np.array_equal(first.arrays[name], second.arrays[name])
    assert all(np.array_equal(first.arrays[key], again.arrays[key]) for key in first.arrays)


# ------------------------------------------------------------------------ the skeleton


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("arguments", [[], ["stride", "padding"], ["stride", "padding", "dilation", "groups"]])
def test_the_examples_by_hand_are_what_a_right_solution_gives(tmp_path, language, arguments):
    names = loaded(tmp_path, skeleton(list(FUNCTIONS), arguments, texts(TEXTS, language)))
    right = loaded(tmp_path, textbook.solution())
    runner = doctest.DocTestRunner()
    for name in FUNCTIONS:
        test = doctest.DocTestParser().get_doctest(names[name].__doc__, dict(right), name, None, None)
        assert test.examples
        assert runner.run(test).failed == 0, name


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"relu_backward"}))
def test_what_is_worked_out_by_hand_adds_up(name):
    known = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt}
    checked = 0
    for line in FUNCTIONS[name].by_hand.replace("^", "**").splitlines():
        sides = line.split(" = ")
        for left, right in itertools.pairwise(sides):
            value = re.match(r"-?[\d.]+(?=$|,|:| ->)", right)
            total = re.split(r", (?![^(]*\))|: ", left)[-1]
            if value and "]" not in total and re.search(r"\d\b|max", total):
                np.testing.assert_allclose(eval(total, known), float(value[0]), rtol=1e-6)
                checked += 1
    assert checked


def test_a_skeleton_says_no_argument_that_is_not_asked_for():
    text = skeleton(["conv2d", "max_pool2d"], [], texts(TEXTS, "en"))
    assert "def conv2d(input, weight, bias=None):" in text
    assert "OH = H - KH + 1" in text
    assert "OH = (H - KH) // KH + 1" in text
    assert "stride" not in text


# ----------------------------------------------------------------------- the languages


def test_no_text_is_missing_in_either_language():
    assert missing(TEXTS) == []


def test_each_requirement_has_its_sentence_and_each_sentence_its_requirement():
    own = texts(TEXTS, "en")
    wanted = requirements(list(FUNCTIONS), ["stride", "padding", "dilation", "groups"], 0)
    used = {f"line.{r.id}" if f"line.{r.id}" in own else f"line.{r.name}" for r in wanted if command.line(r, own)}
    assert used == {key for key in own if key.startswith("line.")}
    assert {key.removeprefix("doc.") for key in own if key.startswith("doc.")} == set(FUNCTIONS)


def test_a_text_that_is_missing_is_said(monkeypatch):
    from minicnn.assignment.texts import pt

    monkeypatch.delitem(pt.TEXTS, "slow")
    monkeypatch.setitem(pt.TEXTS, "ended", "sem o número")
    monkeypatch.setitem(pt.TEXTS, "points", " ")
    assert missing(TEXTS) == [
        "'ended' fills in other names in pt than in en",
        "'points' is empty in pt",
        "pt has no text 'slow'",
    ]


def test_an_unknown_language_is_said():
    with pytest.raises(ValueError, match="There are no texts in 'fr'; choose from en, pt"):
        texts(TEXTS, "fr")


# ------------------------------------------------------------------------- the command


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_folder_is_written_and_grades_with_pytest_alone(tmp_path, language, capsys):
    folder = tmp_path / "kit"
    assert command.main([str(folder), "--operations", "relu", "--lang", language]) == 0
    total = int(capsys.readouterr().out.split(": ")[1].split()[0])
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| {total} |" in readme
    (folder / "solution.py").write_text(
        "import numpy as np\n\n\ndef relu(x):\n    return np.maximum(x, 0)\n", encoding="utf-8"
    )
    script = "import sys; sys.modules['minicnn'] = None\nimport pytest; sys.exit(pytest.main(sys.argv[1:]))"
    arguments = ["-q", "-p", "no:cacheprovider", f"--json={tmp_path}/points.json", f"--junitxml={tmp_path}/points.xml"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    own = texts(TEXTS, language)
    points = json.loads((tmp_path / "points.json").read_text(encoding="utf-8"))
    assert own["total"].format(points=points["points"], of=total) in done.stdout
    assert f"1/1  {own['line.relu.plain']}" in done.stdout
    assert f"0/1  {own['line.relu_backward.plain']}" in done.stdout
    assert own["error_missing"].format(text="relu_backward") in done.stdout
    assert points["of"] == total
    assert {row["points"] for row in points["requirements"] if row["id"].startswith("relu.")} == {1}
    assert '<property name="points" value="1" />' in (tmp_path / "points.xml").read_text(encoding="utf-8")
    assert "warning" not in done.stdout


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(SystemExit):
        command.main([str(tmp_path)])
    assert "not an empty folder: name another one" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--operations", "conv3d"], "there is no operation 'conv3d'; choose from conv2d, max_pool2d"),
        (["--operations", ""], "--operations is empty; name at least one"),
        (["--arguments", "stride,size"], "there is no argument 'size'; choose from stride"),
        (["--lang", "fr"], "invalid choice: 'fr'"),
    ],
)
def test_what_it_does_not_know_is_said(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "kit"), *arguments])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "kit").exists()


def test_every_operation_can_be_asked_for():
    assert set(EVERYTHING) == set(OPERATIONS)
