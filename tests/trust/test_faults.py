"""Whatever befalls a training: its folder opens, finished epochs are kept, a sentence says why.

MINICNN_LONG=1 kills a hundred trainings for each backend; without it a few.
"""

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minicnn
from minicnn.saved import checkpoints
from minicnn.saved.weights import load_weights
from minicnn.trained import Trained
from tests.training.test_resume_command import bits
from tests.trust.repetitions import times

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")

ROOT = Path(minicnn.__file__).parents[1]
FLAGS = ["--epochs", "4", "--train-size", "100", "--val-size", "20", "--batch-size", "16", "--shuffle", "--no-plots"]
NUMPY = [*FLAGS, "--backend", "numpy", "--threads", "1"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def start(*flags, before="", module="minicnn.train", **settings):
    """The command in a process of its own, after the lines of Python in `before`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **settings.pop("env", {})}
    code = f"import runpy, sys\n{before}\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    command = [sys.executable, *(["-c", code] if before else ["-m", module]), *flags]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **{**streams, **settings})


def finish(process):
    """Status, output, errors; no traceback, but that of an exception that Python drops."""
    out, err = process.communicate(timeout=120)
    ignored = re.findall(r"^Exception ignored (?:in|on calling).*\nTraceback", err, re.MULTILINE)
    assert err.count("Traceback") == len(ignored), err
    return process.returncode, out, err


def run(*flags, **settings):
    return finish(start(*flags, **settings))


def save_digit():
    from PIL import Image

    from minicnn.data import MNIST

    Image.fromarray(MNIST().images[0]).save("five.png")
    return "five.png"


def epochs_in(folder):
    """Opens every file in a run folder. Returns its epochs, None where nothing was kept yet."""
    files = {path.name: path for path in folder.iterdir()} if folder.exists() else {}
    unfinished = {name for name in files if name.endswith(".unfinished")}
    assert len(unfinished) <= 1
    whole = files.keys() - unfinished - {".lock"}
    if "config.json" in whole:
        assert json.loads(files["config.json"].read_text())["train_size"] == 100
    if "checkpoint.safetensors" not in whole:
        assert whole <= {"config.json", "filters.safetensors"}
        return None
    checkpoint = checkpoints.load(files["checkpoint.safetensors"])  # compares its digest
    assert "config.json" in whole
    for name in whole:
        if name.endswith(".safetensors"):
            assert load_weights(files[name])
    if "metrics.csv" in whole:  # written last
        assert Trained(folder).last_metrics()["epoch"] in (len(checkpoint.history), len(checkpoint.history) - 1)
    else:
        assert len(checkpoint.history) <= 1
    return len(checkpoint.history)


# --------------------------------------------------------------------------------- being killed


def wait(process, file, moments, lasts):
    """Until any moment of a training or, every other time, until its first file is written."""
    if moments.random() < 0.5:
        time.sleep(moments.uniform(0, lasts))
        return
    before = file.stat().st_mtime_ns if file.exists() else 0
    while process.poll() is None and not (file.exists() and file.stat().st_mtime_ns != before):
        time.sleep(0.001)
    time.sleep(moments.choice([0.01, 0.05, 0.2]) * moments.random())


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_killed_at_random_moments_its_folder_opens_and_it_ends_with_the_same_bits(backend):
    flags = [*FLAGS, "--backend", backend, "--threads", "1", "--quiet"]
    assert run(*flags, "--out", "whole")[0] == 0  # compiles
    shutil.rmtree("whole")
    began = time.perf_counter()
    assert run(*flags, "--out", "whole")[0] == 0
    whole, lasts = bits("whole"), time.perf_counter() - began

    moments, kills, wanted, trainings = random.Random(0), {"SIGKILL": 0, "SIGTERM": 0}, times(6, 100), 0
    found = {"nothing": 0, "initial state": 0, "epochs": 0}
    while sum(kills.values()) < wanted:
        folder, trainings = Path(f"killed{trainings}"), trainings + 1
        status, left = None, 5
        while status != 0:
            kept = epochs_in(folder)
            if kept is None and (folder / "config.json").exists():
                assert "remove the folder and begin anew" in run("--resume", str(folder))[2]
                shutil.rmtree(folder)
            process = start(*(["--resume", str(folder)] if kept is not None else [*flags, "--out", str(folder)]))
            if sum(kills.values()) < wanted and left:  # later it may end
                left -= 1
                wait(process, folder / "config.json", moments, lasts)
                before = set(folder.glob("*.unfinished"))
                how = moments.choice(["SIGKILL", "SIGTERM"])
                process.send_signal(signal.Signals[how])
            status, _, err = finish(process)
            if status == 0:
                break
            kills[how] += 1
            assert status in ({-9} if how == "SIGKILL" else {-15, 143}), err
            if status == 143:
                assert "\nTerminated. " in err
                assert set(folder.glob("*.unfinished")) <= before
            after = epochs_in(folder)
            found["nothing" if after is None else "epochs" if after else "initial state"] += 1
            assert (after or 0) >= (kept or 0)
        assert bits(folder) == whole
    print(f"{backend}: {kills}, {trainings} trainings; the folders then held {found}")


SIGNALS = {"SIGTERM": (143, "Terminated"), "SIGINT": (130, "Stopped")}
HEARING = """
import os, runpy, signal, sys
import minicnn.train
from minicnn.training import ending
signal.signal(signal.SIGINT, signal.default_int_handler)  # or it may be born deaf to it
signalled = getattr(signal, "{signal}")
averages = minicnn.train.averages
def once(*arguments):
    minicnn.train.averages = averages
    end()
    return averages(*arguments)
minicnn.train.averages = once
"""
RUN = """
ending.listen()
sys.exit(ending.and_leave(minicnn.train.main)())
"""


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("where", ["callback", "finaliser"])
def test_a_signal_that_is_swallowed_comes_again(name, where):
    """From a callback of the compiler's, say, or from a `__del__`, no exception comes out."""
    ways = {
        "callback": """
import ctypes, time
def end():
    ctypes.CFUNCTYPE(None)(lambda: (os.kill(os.getpid(), signalled), time.sleep(0.1)) and None)()
""",
        "finaliser": """
import time
class Dying:
    def __del__(self):
        os.kill(os.getpid(), signalled)
        time.sleep(0.1)
def end():
    Dying()
""",
    }
    before = HEARING.format(signal=name) + ways[where] + RUN
    process = start(*NUMPY, "--epochs", "100000", "--out", "run", before=before)
    _, err = process.communicate(timeout=60)
    status, word = SIGNALS[name]
    assert process.returncode == status, err
    assert err.startswith("Exception ignored ")
    assert f"\n{word}. run holds " in err


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_within_an_import_is_none_of_the_imports_errors(name):
    """A compiled module that is interrupted while it starts says "initialization failed"."""
    turn = """
def end():
    try:
        os.kill(os.getpid(), signalled)
    except BaseException:
        raise ImportError("initialization failed")
"""
    status, _, err = run(*NUMPY, "--out", "run", before=HEARING.format(signal=name) + turn + RUN)
    code, word = SIGNALS[name]
    assert status == code
    assert err.startswith(f"\n{word}. No epoch was finished; run holds ")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_while_the_training_is_prepared_is_no_wrong_command_line(name):
    """There an ImportError is a sentence about what is to be installed, with status 2."""
    turn = """
from minicnn.training import prepare
def interrupted(*_):
    try:
        os.kill(os.getpid(), signalled)
    except BaseException:
        raise ImportError("initialization failed")
prepare.find_device = interrupted
"""
    before = HEARING.format(signal=name) + turn + RUN
    status, _, err = run(*NUMPY, "--out", "run", before=before)
    code, word = SIGNALS[name]
    assert status == code
    assert err.endswith(f"\n{word}. No training had begun.\n")


def test_a_training_that_was_started_deaf_to_ctrl_c_stays_so():
    """As nohup or a shell's & may start it."""
    turn = (
        HEARING.format(signal="SIGINT")
        + "signal.signal(signal.SIGINT, signal.SIG_IGN)"
        + """
def end():
    os.kill(os.getpid(), signalled)
"""
    )
    status, _, err = run(*NUMPY, "--out", "run", before=turn + RUN)
    assert (status, err) == (0, "")
    assert epochs_in(Path("run")) == 4


def test_a_killed_training_leaves_no_half_of_a_picture():
    """Pictures are written like everything else: under another name, until they are whole."""
    from matplotlib.figure import Figure

    from minicnn.plots.picture import save

    save(Figure(), "picture.png")
    before = Path("picture.png").read_bytes()
    assert before.startswith(b"\x89PNG")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match=r"No space left on device: 'picture\.png'"):
            save(Figure(figsize=(1, 1)), "picture.png")
    assert Path("picture.png").read_bytes() == before
    assert os.listdir() == ["picture.png"]


# ----------------------------------------------------------------------------- nowhere to write


@pytest.fixture
def small_disk():
    """A file system of five megabytes: one epoch's files fit, another checkpoint does not."""
    Path("disk").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", "disk"], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"only the system's administrator can mount a small disk: {mounted.stderr.strip()}")
    yield Path("disk")
    subprocess.run(["umount", "-l", "disk"], check=True)


def test_a_full_disk_is_told_and_what_was_finished_is_kept(small_disk):
    folder = small_disk / "run"
    status, out, err = run(*NUMPY, "--out", str(folder))
    assert status == 1
    assert "Epoch 1/4" in out
    assert "Epoch 2/4" not in out
    assert err == (
        f"\n[Errno 28] No space left on device: '{folder}/checkpoint.safetensors'."
        f" {folder} holds the metrics of epoch 1 and the weights after that.\n"
    )
    assert epochs_in(folder) == 1
    shutil.copytree(folder, "larger")
    assert run("--resume", "larger")[0] == run(*NUMPY, "--out", "whole")[0] == 0
    assert bits("larger") == bits("whole")


def limited(size):
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def test_a_file_that_may_not_grow_is_told_and_what_was_finished_is_kept():
    """The system's limit for files, as of a full disk: Adam's averages make one too long."""
    status, _, err = run(*NUMPY, "--out", "run", before=limited(1_500_000))
    assert (status, epochs_in(Path("run"))) == (1, 0)
    assert err == (
        "\n[Errno 27] File too large: 'run/checkpoint.safetensors'."
        " No epoch was finished; run holds config.json and the initial state only.\n"
    )
    status, _, err = run(*NUMPY, "--out", "other", before=limited(100))
    assert (status, epochs_in(Path("other"))) == (2, None)
    assert "[Errno 27] File too large: 'other/config.json'" in err
    for folder in ("run", "other"):  # with room, both go on
        assert run(*(["--resume", folder] if folder == "run" else [*NUMPY, "--out", folder]))[0] == 0
    assert bits("run") == bits("other")


MODES_COUNT = """
import ctypes, os
class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
data = (ctypes.c_uint32 * 6)()
libc = ctypes.CDLL(None)
header = Header(0x20080522, 0)
libc.capget(ctypes.byref(header), data)
for i in (0, 1):
    data[i] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: with them root writes wherever it likes
assert libc.capset(ctypes.byref(header), data) == 0
assert not os.access("locked", os.W_OK)
"""


@pytest.fixture
def locked():
    if os.geteuid() == 0 and not hasattr(ctypes.CDLL(None), "capset"):
        pytest.skip("the administrator may write anywhere, and this system knows no capabilities to give away")
    Path("locked").mkdir(mode=0o555)
    return MODES_COUNT if os.geteuid() == 0 else "pass"


@pytest.mark.parametrize("out", ["locked", "locked/run"])
def test_a_folder_without_write_permission_is_refused_before_the_training(locked, out):
    status, _, err = run(*NUMPY, "--out", out, before=locked)
    assert status == 2
    assert re.search(r"train: error: \[Errno 13\] Permission denied: '.*locked/", err)
    assert os.listdir("locked") == []


def test_a_run_folder_that_loses_its_write_permission_keeps_its_files(locked):
    assert run(*NUMPY, "--epochs", "1", "--out", "run")[0] == 0
    before = bits("run")
    Path("run").chmod(0o555)
    Path("run", ".lock").unlink(missing_ok=True)
    status, _, err = run("--resume", "run", "--epochs", "2", before=locked)
    assert status == 2
    assert re.search(r"train: error: \[Errno 13\] Permission denied: '.*run/", err)
    assert bits("run") == before


def test_numba_compiles_where_no_cache_can_be_kept(locked):
    """A package that the administrator installed, and a user without a home."""
    shutil.copytree(ROOT / "minicnn", "locked2/minicnn", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [Path("locked2"), *Path("locked2").rglob("*")]:
        path.chmod(0o555)
    code = (
        f"{locked}\nimport sys\nsys.path.insert(0, 'locked2')\nimport minicnn\nimport numpy as np\n"
        "minicnn.set_backend('numba')\nprint(minicnn.nn.functional.relu(np.array([-1.0, 2.0])).tolist())\n"
    )
    without = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    environment = {**without, "HOME": "/dev/null", "TMPDIR": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment, capture_output=True, text=True)
    for path in [Path("locked2"), *Path("locked2").rglob("*")]:
        path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[0.0, 2.0]\n"
    assert not list(Path().rglob("*.nb[ic]"))


def test_a_run_folder_that_is_removed_meanwhile_is_told():
    process = start(*NUMPY, "--epochs", "10000", "--out", "run")
    for line in process.stdout:
        if line.startswith("Epoch 2/"):
            break
    os.rename("run", "gone")
    shutil.rmtree("gone")
    status, _, err = finish(process)
    assert status == 1
    assert err == (
        "\n[Errno 2] No such file or directory: 'run'."
        " run was removed or emptied meanwhile: nothing of this training is left in it.\n"
    )
    assert os.listdir() == []


@pytest.mark.parametrize("module", ["minicnn.predict", "minicnn.evaluate"])
def test_a_table_that_cannot_be_written_leaves_the_one_before(module):
    flags = ["run", *([save_digit()] if module == "minicnn.predict" else []), "--csv", "table.csv"]
    assert run(*NUMPY, "--epochs", "1", "--out", "run")[0] == 0
    assert run(*flags, module=module)[0] == 0
    before = Path("table.csv").read_bytes()
    status, _, err = run(*flags, module=module, before=limited(100))
    assert (status, err) == (1, "[Errno 27] File too large: 'table.csv'.\n")
    assert Path("table.csv").read_bytes() == before


# ------------------------------------------------------------------------------- nobody listens


COMMANDS = {
    "train": NUMPY,
    "predict": ["made", "five.png", "--no-plots"],
    "evaluate": ["made"],
    "convert": ["made", "weights.safetensors"],
    "onnx": ["made", "model.onnx"],
    "summary": [],
    "agree": ["relu", "--examples", "1"],
    "explore": ["--help"],
}


@pytest.mark.parametrize("module", COMMANDS)
@pytest.mark.parametrize("output", ["closed from the start", "full", "read by nobody"])
def test_an_output_that_takes_nothing(module, output):
    for name in {"onnx": ["onnx"], "agree": ["torch"]}.get(module, []):
        pytest.importorskip(name, reason=f"pip install 'minicnn[{name}]'")
    flags = COMMANDS[module]
    if "made" in flags:
        assert run(*NUMPY, "--epochs", "1", "--out", "made")[0] == 0
        save_digit()
    if output == "closed from the start":
        assert closing(">&-", f"minicnn.{module}", *flags) == (0, "", "")
        return
    if output == "full":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        end = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, end = os.pipe()
        os.close(reader)
    status, _, err = run(*flags, module=f"minicnn.{module}", stdout=end, env={"PYTHONUNBUFFERED": ""})
    os.close(end)
    assert status == 1
    start = {"full": "[Errno 28] No space left on device.", "read by nobody": "The output was closed."}[output]
    if module == "train":
        assert (
            err
            == f"\n{start} No epoch was finished; runs/simplecnn-seed0 holds config.json and the initial state only.\n"
        )
    else:
        assert err == (f"{start}\n" if output == "full" else "")


@pytest.mark.parametrize("module", ["predict", "evaluate"])
def test_a_table_for_an_output_that_is_full(module):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    assert run(*NUMPY, "--epochs", "1", "--out", "made")[0] == 0
    flags = ["made", *([save_digit(), "missing.png", "--no-plots"] if module == "predict" else []), "--csv", "-"]
    with open("/dev/full", "w") as full:
        status, _, err = run(*flags, module=f"minicnn.{module}", stdout=full, env={"PYTHONUNBUFFERED": ""})
    assert status == 1
    assert err.endswith("[Errno 28] No space left on device.\n")


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("train", "averages", "Stopped. No epoch was finished; made holds config.json and the initial state only."),
        ("evaluate", "count_answers", "Stopped."),
    ],
)
def test_ctrl_c_within_a_compiled_kernel_is_ctrl_c(module, name, said):
    """It comes out as the cause of "<function> returned a result with an exception set"."""
    flags = ["--out", "made"] if module == "train" else ["made"]
    if module == "evaluate":
        assert run(*NUMPY, "--epochs", "1", "--out", "made")[0] == 0
    for cause, status in (("KeyboardInterrupt()", 130), ("ValueError()", 1)):
        before = f"""
import minicnn.{module} as module
from minicnn.command import start
def interrupted(*_):
    raise SystemError("returned a result with an exception set") from {cause}
module.{name} = interrupted
start(module.main)
"""
        process = start(*(NUMPY if module == "train" else []), *flags, before=before)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status
        assert (err == f"\n{said}\n") if status == 130 else ("Traceback" in err)
        if module == "train":
            shutil.rmtree("made")


def test_ctrl_c_stops_a_comparison_with_torch():
    pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    process = start(
        "relu", "--backend", "numpy", "--examples", "1000000", module="minicnn.agree", env={"PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout.readline().startswith("numpy kernels in float32 against torch")
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert (status, err) == (130, "\nStopped.\n")


def closing(stream, module, *flags):
    """Status, output, errors of a command that a shell starts without one stream."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m {module} "$@" {stream}', sys.executable, *flags],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout, done.stderr


def test_a_training_whose_errors_nobody_reads():
    status, out, _ = closing("2>&-", "minicnn.train", *NUMPY, "--out", "made")
    assert (status, epochs_in(Path("made"))) == (0, 4)
    assert "Epoch 4/4" in out


def test_errors_that_nobody_reads_do_not_get_into_a_table_nor_a_table_that_nobody_reads_into_them():
    assert run(*NUMPY, "--epochs", "1", "--out", "made")[0] == 0
    flags = ["made", save_digit(), "missing.png", "--csv", "-", "--no-plots"]
    status, out, err = closing("2>&-", "minicnn.predict", *flags)
    assert (status, err) == (1, "")
    assert [line.split(",")[0] for line in out.splitlines()] == ["image", "five.png", "missing.png"]
    status, out, err = closing(">&-", "minicnn.predict", *flags)
    assert (status, out) == (1, "")
    assert err.splitlines()[1:] == ["1 of 2 images could not be read."]


# ---------------------------------------------------------------------------------- two at once


@pytest.mark.parametrize("attempt", range(times(2, 30)))
def test_of_two_that_are_started_at_once_into_one_folder_the_second_refuses(attempt):
    both = [finish(process) for process in [start(*NUMPY, "--quiet", "--out", "run") for _ in range(2)]]
    assert sorted(status for status, _, _ in both) == [0, 2]
    (refusal,) = [err for status, _, err in both if status == 2]
    assert "run exists and is not empty; earlier results" in refusal or "run is in use by another training" in refusal
    assert epochs_in(Path("run")) == 4
    assert run(*NUMPY, "--quiet", "--out", "alone")[0] == 0
    assert bits("run") == bits("alone")


def test_of_two_that_go_on_at_once_the_second_refuses():
    assert run(*NUMPY, "--epochs", "1", "--quiet", "--out", "run")[0] == 0
    first = start("--resume", "run", "--epochs", "10000")
    for line in first.stdout:
        if line.startswith("Epoch 2/"):
            break
    status, _, err = run("--resume", "run", "--epochs", "10000")
    assert status == 2
    assert "run is in use by another training: wait for it, or stop it." in err
    first.send_signal(signal.SIGTERM)
    assert finish(first)[0] == 143


# ----------------------------------------------------------------------------------- no network


def test_the_bundled_data_need_no_network():
    refuse = """
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(refuse)
"""
    status, _, err = run(*NUMPY[:-2], "--quiet", "--out", "run", before=refuse)
    assert (status, err) == (0, "")
    flags = ["-c", f"import sys\n{refuse}\nimport socket\nsocket.socket()"]
    assert subprocess.run([sys.executable, *flags], check=False, capture_output=True).returncode == 1  # it does refuse


# ------------------------------------------------------------------------- strange environments


@pytest.mark.parametrize("module", ["minicnn.train", "minicnn.predict"])
def test_matplotlib_is_told_to_draw_with_what_does_not_exist(module):
    assert run(*NUMPY, "--epochs", "1", "--out", "made")[0] == 0
    flags = [*NUMPY, "--out", "run"] if module == "minicnn.train" else ["made", save_digit()]
    flags = [flag for flag in flags if flag != "--no-plots"]
    status, out, err = run(*flags, module=module, env={"MPLBACKEND": "banana"})
    assert (status, out) == (2, "")
    assert err.endswith(
        "error: MPLBACKEND must name a backend of Matplotlib, got 'banana': unset it, as these pictures need none, "
        "or draw no pictures (--no-plots).\n"
    )
    assert not Path("run").exists()
    assert run(*flags, "--no-plots", module=module, env={"MPLBACKEND": "banana"})[0] == 0


# ---------------------------------------------------------------------------- strange terminals


@pytest.mark.parametrize("module", ["train", "predict", "evaluate", "convert", "summary", "onnx", "agree"])
def test_every_commands_help_prints_on_a_terminal_that_knows_no_utf_8(module):
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    status, out, err = run("--help", module=f"minicnn.{module}", env=plain)
    assert (status, err) == (0, "")
    assert out.startswith("usage: ")
