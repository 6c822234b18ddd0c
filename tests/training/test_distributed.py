"""Several processes follow one: the same mean gradient, however the images are shared."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from minicnn import train
from minicnn.training.processes import ONE_PROCESS
from tests.support.commands import environment, metrics, refused, weights

pytest.importorskip("torch", reason="several processes need torch.distributed: pip install 'minicnn[torch]'")
if sys.platform == "win32":
    pytest.skip("torchrun's rendezvous needs POSIX", allow_module_level=True)

SMALL = [
    "--val-size",
    "41",
    "--batch-size",
    "16",
    "--epochs",
    "2",
    "--no-plots",
    "--threads",
    "1",
    "--backend",
    "torch",
]


def torchrun(folder, processes, *command):
    """The finished process, its output as text."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*start, *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )


def results(folder):
    figures = [[value for name, value in row.items() if name != "seconds"] for row in metrics(folder)]
    return np.array(figures), weights(folder)


@pytest.mark.parametrize("train_size", [97, 64], ids=["the last batch of one image", "whole batches"])
def test_two_processes_follow_one(tmp_path, train_size):
    """97 = 6 * 16 + 1: of the last batch one process gets the image, the other nothing."""
    flags = [*SMALL, "--train-size", str(train_size), "--dtype", "float64", "--shuffle"]
    for processes in (1, 2):
        done = torchrun(tmp_path, processes, "-m", "minicnn.train", *flags, "--out", str(tmp_path / str(processes)))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Epoch 2/2") == 1, "the first process alone speaks"
        assert (f"processes: {processes}" in done.stdout) == (processes > 1)
    (one, alone), (two, shared) = results(tmp_path / "1"), results(tmp_path / "2")
    np.testing.assert_allclose(two, one, rtol=1e-9)
    for name, value in alone.items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(shared[name], value, rtol=1e-9, atol=1e-9 * np.abs(value).max(), err_msg=name)


def test_a_process_that_dies_ends_the_job_with_an_error(tmp_path):
    script = tmp_path / "die.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, sys
        from minicnn import train

        def dying(*arguments, **options):
            if os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            return learn(*arguments, **options)

        learn, train.train_epoch = train.train_epoch, dying
        sys.exit(train.main(sys.argv[1:]))
        """)
    )
    done = torchrun(tmp_path, 2, str(script), *SMALL, "--train-size", "64", "--out", str(tmp_path / "run"))
    assert done.returncode != 0
    assert "SIGKILL" in done.stderr
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_other_kernel_sets_refuse_several_processes(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert refused(capsys, train, "--backend", "numpy") == "several processes need --backend torch, got numpy."


def test_alone_nothing_is_shared():
    batches = [(np.zeros((3, 1)), np.zeros(3))]
    assert ONE_PROCESS.share(batches) is batches
    assert ONE_PROCESS.sum([1.5, 2]) == [1.5, 2]
    assert (ONE_PROCESS.rank, ONE_PROCESS.size) == (0, 1)
