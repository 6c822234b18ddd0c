"""The public names and their signatures, which are torch's; what importing costs; and
who may import whom.
"""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import minicnn
from minicnn import nn
from minicnn.nn import functional as F
from tests.support.oracle import torch

ROOT = Path(minicnn.__file__).resolve().parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))

NAMES = {
    "minicnn": """data get_backend get_num_threads gradcheck load manual_seed models nn optim save set_backend
        set_num_threads summary use_backend""",
    "minicnn.nn": """AdaptiveAvgPool2d AvgPool2d BCELoss BCEWithLogitsLoss BatchNorm2d Concat Conv2d ConvTranspose2d
        CrossEntropyLoss Dropout Dropout2d Flatten GELU Identity LayerNorm LeakyReLU Linear LogSoftmax
        MSELoss MaxPool2d MaxUnpool2d Module NLLLoss Parameter ReLU Residual Sequential Sigmoid Softmax
        Tanh Unflatten Upsample functional""",
    "minicnn.nn.functional": " ".join(
        f"{name} {name}_backward"
        for name in [
            "adaptive_avg_pool2d",
            "avg_pool2d",
            "batch_norm",
            "binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            "conv2d",
            "conv_transpose2d",
            "cross_entropy",
            "dropout",
            "dropout2d",
            "fold",
            "gelu",
            "interpolate",
            "layer_norm",
            "leaky_relu",
            "linear",
            "log_softmax",
            "max_pool2d",
            "max_unpool2d",
            "mse_loss",
            "nll_loss",
            "pad",
            "relu",
            "sigmoid",
            "softmax",
            "tanh",
            "unfold",
        ]
    ),
    "minicnn.optim": "Adadelta Adam AdamW SGD lr_scheduler",
    "minicnn.data": "DataLoader Dataset ImageDataset MNIST Subset TensorDataset open_dataset random_split",
    "minicnn.models": "Autoencoder Generator ParityCNN SimpleCNN",
}

# Arguments of torch's that mean nothing here, and those that differ for a reason.
OMITTED = {"device", "size_average", "reduce", "_stacklevel", "foreach", "capturable", "differentiable", "fused"}
DIFFERENT = {
    ("interpolate", "antialias"): "made for shrinking images; Upsample does not take it either",
    ("dropout", "return_mask"): "torch keeps the mask on its tape; here the gradient takes it",
    ("dropout2d", "return_mask"): "the same",
    ("pad", "value"): "None means 0 in torch; here it says 0",
}
NEWER = {("BatchNorm2d", "bias")}  # torch has it since 2.14
for layer in ("BatchNorm2d", "Conv2d", "ConvTranspose2d", "LayerNorm", "Linear"):
    DIFFERENT[layer, "dtype"] = "None means float32 in torch; here it says so"


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_exists_and_is_listed(module):
    found = importlib.import_module(module)
    for name in NAMES[module].split():
        assert hasattr(found, name), name
    assert set(NAMES[module].split()) <= set(getattr(found, "__all__", NAMES[module].split()))


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_has_a_docstring(module):
    found = importlib.import_module(module)
    assert found.__doc__
    for name in NAMES[module].split():
        assert inspect.getdoc(getattr(found, name)), name


# --------------------------------------------------------------------------- signatures

CONSTRUCTORS = [
    *(
        getattr(nn, name)
        for name in NAMES["minicnn.nn"].split()
        if name[0].isupper() and name not in ("Parameter", "Module", "Residual", "Concat")
    ),
    *(getattr(minicnn.optim, name) for name in ("Adadelta", "Adam", "AdamW", "SGD")),
]


def arguments(function):
    """[(name, default, whether by keyword only)]."""
    parameters = [
        p for p in inspect.signature(function).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    return [(p.name, p.default, p.kind is p.KEYWORD_ONLY) for p in parameters]


def torchs_arguments(function, name):
    """The same of torch's function; of built-in ones, which have no signature, from
    their docstring's first line.
    """
    try:
        found = arguments(function)
    except ValueError:
        line = (
            inspect.getdoc(function).splitlines()[0].split("->")[0].replace(f"{name}(", "lambda ").strip().rstrip(")")
        )
        found = arguments(eval(f"{line}: 0"))
    return [
        (argument, default, by_keyword)
        for argument, default, by_keyword in found
        if argument not in OMITTED and (name, argument) not in DIFFERENT
    ]


def ours(function, name):
    return [argument for argument in arguments(function) if (name, argument[0]) not in DIFFERENT]


def without_newer(name, arguments, torchs):
    """Our arguments without those that this version of torch does not have yet."""
    known = {argument for argument, *_ in torchs}
    return [argument for argument in arguments if (name, argument[0]) not in NEWER or argument[0] in known]


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=lambda c: c.__name__)
def test_constructors_take_torchs_arguments_in_torchs_order_with_torchs_defaults(constructor):
    name = constructor.__name__
    theirs = getattr(torch.nn, name, None) or getattr(torch.optim, name)
    torchs = torchs_arguments(theirs, name)
    assert without_newer(name, ours(constructor, name), torchs) == torchs


@pytest.mark.parametrize("name", [n for n in NAMES["minicnn.nn.functional"].split() if not n.endswith("_backward")])
def test_functions_take_torchs_arguments_in_torchs_order_with_torchs_defaults(name):
    theirs = getattr(torch.nn.functional, name)
    theirs = torch.nn.functional._max_pool2d if name == "max_pool2d" else theirs  # what the public name dispatches to
    assert ours(getattr(F, name), name) == torchs_arguments(theirs, name)


@pytest.mark.parametrize("name", [n for n in NAMES["minicnn.nn.functional"].split() if not n.endswith("_backward")])
def test_a_gradient_takes_grad_output_first_and_only_arguments_of_its_function(name):
    first, *rest = [argument for argument, *_ in arguments(getattr(F, f"{name}_backward"))]
    own = {argument for argument, *_ in arguments(getattr(F, name))}
    assert first == "grad_output"
    kept = {"output", "indices", "mask", "input_shape", "output_size"}
    assert set(rest) <= own | kept | {"needs_input_grad", "needs_bias_grad", "needs_weight_grad"}


@pytest.mark.parametrize(("name", "attribute"), DIFFERENT, ids=lambda text: text)
def test_the_list_of_differences_is_not_out_of_date(name, attribute):
    function = getattr(torch.nn, name, None) or getattr(torch.nn.functional, name)
    here = getattr(F, name, None) or getattr(nn, name)
    assert {a for a in arguments(function) if a[0] == attribute} != {a for a in arguments(here) if a[0] == attribute}


def test_module_has_torchs_methods_with_torchs_first_arguments():
    for name in [
        "parameters",
        "named_parameters",
        "state_dict",
        "load_state_dict",
        "train",
        "eval",
        "zero_grad",
        "children",
        "modules",
        "named_children",
        "named_modules",
    ]:
        assert hasattr(torch.nn.Module, name)
        assert hasattr(nn.Module, name), name
    assert [a[:2] for a in arguments(nn.Module.load_state_dict)[:3]] == [
        a[:2] for a in arguments(torch.nn.Module.load_state_dict)[:3]
    ]


# ---------------------------------------------------------------------------- importing


def test_importing_minicnn_imports_none_of_the_heavy_libraries():
    heavy = "{'torch', 'numba', 'matplotlib', 'tqdm', 'pooch'}"
    script = f"import sys, minicnn; minicnn.nn.Linear(2, 2); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Room -> what of minicnn it may import ("" is minicnn as a whole). The first entry that
# a file's path starts with counts; a file without an entry may import nothing.
MAY_IMPORT = {
    "geometry.py": set(),
    "kernels/__init__.py": {"kernels"},
    "kernels/": {"geometry", "kernels"},
    "nn/functional/": {"geometry", "kernels", "nn.functional"},
    "nn/module.py": {"kernels", "nn", "table"},  # arrays: parameters move between devices
    "nn/parameter.py": {"kernels"},
    "nn/": {"geometry", "kernels.arrays", "nn"},
    "optim/": {"kernels", "nn.parameter", "optim"},
    "data/__main__.py": {"command", "data", "plots", "table"},
    "data/": {"data"},
    "models.py": {"nn"},
    "__main__.py": {"__version__", "command", "table"},
    "__init__.py": {"data", "gradcheck", "kernels", "models", "nn", "optim", "summary", "weights"},
    # looking at layers
    "table.py": set(),
    "mistakes.py": set(),
    "diagnosis.py": set(),
    "gradcheck.py": {"diagnosis", "mistakes", "nn", "table"},
    "summary/": {"command", "kernels", "models", "nn", "summary", "table"},
    "agree/": {"", "agree", "command", "geometry", "kernels", "mistakes", "nn", "table"},
    "testing/": {"", "agree", "testing"},
    "messages.py": set(),
    "assignment/handout/": set(),  # what students get, who have no minicnn
    "assignment/": {"", "assignment", "command", "kernels", "messages", "nn"},
    # what lies on disk; it knows no task
    "saved/": {"kernels.arrays", "nn", "optim", "saved"},
    "weights.py": {"kernels.arrays", "saved.files", "saved.weights"},
    # tasks and their pictures
    "plots/": {"data", "plots", "saved"},
    "tasks/": {"data", "kernels", "models", "nn", "plots", "saved", "tasks"},
    "trained.py": {"data", "nn", "saved", "table", "tasks"},
    # what stands behind the training, and what the commands share
    "command.py": {"kernels", "saved.files"},
    "training/": {"", "command", "data", "kernels", "nn", "optim", "plots", "saved", "tasks", "training"},
    # the commands
    "train.py": {"command", "data", "kernels", "nn", "optim", "saved", "tasks", "training"},
    "predict.py": {"", "command", "data", "plots", "tasks", "trained"},
    "evaluate.py": {"", "command", "data", "kernels", "table", "tasks", "trained"},
    "convert.py": {"", "command", "models", "nn", "onnx", "saved", "table"},
    "onnx/": {"", "command", "geometry", "nn", "onnx", "saved", "trained"},
    "explore/": {
        *("__version__", "command", "data", "explore", "geometry", "kernels", "models", "nn", "summary"),
        *("gradcheck", "messages", "optim", "saved", "tasks", "train", "trained", "training"),
    },
}


def imports(path, package):
    """The absolute names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1]]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = module == "minicnn" or not node.module  # these are modules
            yield from ([f"{module}.{alias.name}" for alias in node.names] if names else [module])


def allowed(name, file):
    rooms = next((rooms for start, rooms in MAY_IMPORT.items() if file.startswith(start)), set())
    inside = name.removeprefix("minicnn").removeprefix(".")
    return any(inside == room or (room and inside.startswith(f"{room}.")) for room in rooms)


@pytest.mark.parametrize("file", FILES)
def test_arrows_between_the_rooms_point_one_way(file):
    package = ".".join(["minicnn", *Path(file).parts[:-1]])
    for name in imports(ROOT / file, package):
        assert name.split(".")[0] not in ("reference", "tests", "benchmarks", "pickle"), name
        if name.split(".")[0] == "minicnn":
            assert allowed(name, file), f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_user_input_is_never_checked_with_assert(file):
    nodes = list(ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))))
    assert not [node.lineno for node in nodes if isinstance(node, ast.Assert)]


def test_reference_imports_nothing_of_minicnn():
    folder = ROOT.parent / "reference"
    if not folder.is_dir():
        pytest.skip("the reference is not part of an installed package")
    for path in set(folder.rglob("*.py")) - {folder / "tour.py", folder / "tour.pt.py"}:  # which show both
        assert not [name for name in imports(path, "reference") if name.split(".")[0] == "minicnn"], path
