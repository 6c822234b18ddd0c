"""Everything that reads a file or a command line, given nonsense: `python -m
tests.trust.fuzz --inputs 200000`.

Whatever is given, a reader answers, or refuses with a sentence that names the file;
memory stays bounded, nothing is run. An input is a valid one with edits (bits, lengths,
pieces, numbers in JSON), or bytes at random. `--atheris` (pip install atheris) begins
with the valid ones too, and lets libFuzzer edit further what reached new lines of the
package and of argparse, in a process that imports them watched. It ends at the first
find and leaves it in a file here.
"""

import argparse
import contextlib
import csv
import gzip
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from safetensors import numpy as safetensors

import minicnn
from minicnn import convert, evaluate, models, optim, predict, trained
from minicnn.agree import __main__ as agree
from minicnn.data.idx import read_idx, write_idx
from minicnn.data.images import read_digit
from minicnn.explore import __main__ as explore
from minicnn.onnx import command as onnx
from minicnn.saved import checkpoints
from minicnn.saved.run_folder import Metrics, Run, earlier_filters
from minicnn.saved.weights import load_weights, save_weights
from minicnn.summary import __main__ as summary
from minicnn.training import settings

MEMORY = 2 * 2**30  # more than any of these inputs may cost
RAM = "/dev/shm" if os.path.isdir("/dev/shm") else None  # where Linux has files in memory: ten times as fast
LENGTHS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
WORDS = [
    "null",
    "-1",
    "1e999",
    "NaN",
    "[]",
    "{}",
    '"\\ud800"',
    "1" * 5000,
    "99999999999",
    "[" * 3000,
    "true",
    "0.5",
    '"x"',
]


class Edit(NamedTuple):
    """One change of bytes: where (a share of the length), what kind, and numbers that
    say how.
    """

    where: float
    kind: int
    size: int
    value: int

    def apply(self, content: bytes) -> bytes:
        at, n = int(self.where * len(content)), self.size
        before, after = content[:at], content[at:]
        match self.kind % 8:
            case 0:  # a bit
                return before + bytes(b ^ (1 << self.value % 8) for b in after[:1]) + after[1:]
            case 1:
                return before + bytes([self.value % 256]) * min(n, 4) + after[min(n, 4) :]
            case 2:
                return before + after[n:]
            case 3:
                return before + after[:n] * 2 + after[n:]
            case 4:
                return before
            case 5:  # a length
                width, order = (2, 4, 8)[n % 3], ("little", "big")[self.value % 2]
                return before + (LENGTHS[self.value % len(LENGTHS)] % 256**width).to_bytes(width, order) + after[width:]
            case 6:
                return before + random.Random(self.value).randbytes(n) + after
            case _:  # a value in JSON or CSV
                colon = after.find(b":") if self.value % 2 else after.find(b",")
                if colon < 0:
                    return content
                end = min(
                    (i for i in (after.find(c, colon + 1) for c in (b",", b"}", b"\n")) if i > 0), default=len(after)
                )
                return before + after[: colon + 1] + WORDS[self.value % len(WORDS)].encode() + after[end:]


def drawn_edits(rng: random.Random) -> list[Edit]:
    number = rng.choice([0, 1, 1, 1, 2, 3, 8])
    edits = [Edit(rng.random(), rng.randrange(8), rng.randrange(1, 64), rng.randrange(2**16)) for _ in range(number)]
    if rng.random() < 0.5:  # headers are short and decide most
        edits = [edit._replace(where=edit.where**6) for edit in edits]
    return edits


class Reader(NamedTuple):
    """What is attacked: valid inputs, and a function that reads one from a file in a folder."""

    seeds: list[bytes]
    read: Callable[[Path, bytes], Any]


class NotRefusedProperly(AssertionError):
    """Something else than an answer or a sentence."""


def attack(reader: Reader, folder: Path, content: bytes) -> str:
    """Give the input to its reader: "read" or "refused"; everything else is a find."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()) as said:
        warnings.simplefilter("ignore")
        try:
            reader.read(folder, content)
        except (ImportError, OSError, ValueError) as error:  # ImportError: torch's format, where torch is missing
            if type(error) not in (ImportError, ValueError) and not isinstance(error, OSError):
                raise NotRefusedProperly(f"{type(error).__name__}: {error}") from error
            if folder.name not in str(error):
                raise NotRefusedProperly(f"the sentence names no file: {error}") from error
            return "refused"
        except SystemExit as error:
            if error.code not in (0, 2) or (error.code == 2 and "error: " not in said.getvalue()):
                raise NotRefusedProperly(f"exit status {error.code}: {said.getvalue()}") from error
            return "refused" if error.code else "read"
        except Exception as error:
            raise NotRefusedProperly(f"{type(error).__name__}: {error}") from error
    return "read"


# -------------------------------------------------------------------------- the readers


def written(name: str, read: Callable[[Path], Any]) -> Callable[[Path, bytes], Any]:
    def put(folder: Path, content: bytes) -> Any:
        (folder / name).write_bytes(content)
        return read(folder / name)

    return put


def file_of(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seed")
        write(path)
        return path.read_bytes()


def idx() -> Reader:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (3, 4, 5), np.uint8), np.arange(6, dtype=np.int32), rng.random((2, 3)), np.uint8(7)]
    return Reader([file_of(lambda p, a=a: write_idx(p, a)) for a in arrays], written("file", read_idx))


def zipped() -> Reader:
    plain = idx()
    seeds = [gzip.compress(seed, mtime=0) for seed in plain.seeds]

    def read(
        folder: Path, content: bytes
    ) -> Any:  # half of them: edited before they are compressed, so that the CRC fits
        inside = content[:2] != b"\x1f\x8b" or len(content) % 2
        (folder / "file.gz").write_bytes(gzip.compress(content, 1) if inside else content)
        return read_idx(folder / "file.gz")

    return Reader([*seeds, *plain.seeds], read)


def small_network() -> minicnn.nn.Module:
    return minicnn.nn.Sequential(minicnn.nn.Conv2d(1, 2, 3), minicnn.nn.Flatten(), minicnn.nn.Linear(2, 2))


def weights() -> Reader:
    seed = file_of(lambda path: save_weights(path, small_network().state_dict()))

    def read(path: Path) -> Any:
        found = load_weights(path)
        try:
            small_network().load_state_dict(found)
        except RuntimeError:  # lists what does not fit
            pass

    return Reader([seed, safetensors.save({})], written("weights.safetensors", read))


def torch_weights() -> Reader:
    import torch

    seeds = []
    for zipping in (True, False):
        content = io.BytesIO()
        state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}
        torch.save(state, content, _use_new_zipfile_serialization=zipping)
        seeds.append(content.getvalue())
    return Reader(seeds, written("weights.pt", load_weights))


def small_checkpoint(path: Path) -> None:
    model = small_network()
    optimizer = optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optimizer.step()
    config = {"task": "digits", "epochs": 2, "batch_size": 8, "lr": 0.1, "backend": "numpy", "network": "SimpleCNN"}
    checkpoints.save(path, model, optimizer, config, [Metrics(1, 0.5, 0.5, 0.5, 0.5, 0.1)])


def resumed(found: checkpoints.Checkpoint) -> None:
    """What a training does that goes on there: restores the state, takes a step, opens
    the folder.
    """
    model = small_network()
    optimizer = optim.Adam(model.parameters())
    found.restore(model, optimizer)
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optimizer.step()
    Run.reopen(found.path.parent, found.config, found.history).lock.release()


def checkpoint() -> Reader:
    def read(path: Path) -> Any:
        resumed(found := checkpoints.load(path))
        return found

    return Reader([file_of(small_checkpoint)], written("checkpoint.safetensors", read))


def crafted_checkpoint() -> Reader:
    """The JSON in a checkpoint's header, with a digest that fits: as somebody would
    write it who means harm.
    """
    with tempfile.TemporaryDirectory() as folder:
        small_checkpoint(path := Path(folder, "checkpoint.safetensors"))
        found = checkpoints.load(path)
    header = {"config": found.config, "history": found.history, "options": found.options, "position": found.position}

    def read(folder: Path, content: bytes) -> Any:
        text = content.decode("utf-8", "replace")
        names = sorted(found.arrays)
        arrays = dict(found.arrays)
        grown = len(content) - len(seed)
        if grown and grown % 3 == 0:  # an array is missing, or is another
            arrays.pop(names[grown % len(names)])
        if grown and grown % 5 == 0:
            arrays["optimizer.x.y" if grown % 2 else "random.key"] = np.zeros(3, np.int8)
        if grown and grown % 7 == 0:
            name, kinds = names[grown % len(names)], ("float64", "int64", "int8", "bool", "float16")
            arrays[name] = found.arrays[name].astype(kinds[grown % len(kinds)])
        if grown and grown % 11 == 0:
            name = names[grown % len(names)]
            arrays[name] = found.arrays[name].reshape(-1)[: grown % 4]
        metadata = {"minicnn": checkpoints.FORMAT, "header": text, "sha256": checkpoints.digest(text, arrays)}
        (folder / "checkpoint.safetensors").write_bytes(safetensors.save(arrays, metadata))
        resumed(settings.read_flags(settings.make_parser(), ["--resume", str(folder)])[1])

    seed = json.dumps(header).encode()
    return Reader([seed], read)


def run_folder() -> Reader:
    """config.json, metrics.csv and filters.safetensors, the first byte says which; the
    weights are whole.
    """
    config = {"task": "parity", "network": "ParityCNN", "epochs": 1, "batch_size": 64, "data": None, "val_size": 10}
    table = io.StringIO()
    csv.writer(table).writerows([Metrics._fields, Metrics(1, 0.5, 0.5, 0.5, 0.5, 1.0)])
    names = ("config.json", "metrics.csv", "filters.safetensors")
    filters = safetensors.save({"epoch-000": np.zeros((2, 1, 3, 3), np.float32)})
    parts = dict(zip(names, (json.dumps(config).encode(), table.getvalue().encode(), filters), strict=True))
    model = safetensors.save(models.ParityCNN().state_dict())

    def read(folder: Path, content: bytes) -> Any:
        changed = names[content[:1][0] % 3] if content else names[0]
        for name, part in {**parts, changed: content[1:]}.items():
            (folder / name).write_bytes(part)
        if not (folder / "model.safetensors").exists():
            (folder / "model.safetensors").write_bytes(model)
        earlier_filters(folder / "filters.safetensors", 1)
        found = trained.Trained(folder)
        found.model(np.zeros((1, 1, 28, 28), np.float32))
        found.last_metrics()
        evaluate.batch_size_of(found)
        evaluate.compare(found, None, 10, 0.5)
        return found

    return Reader([bytes([i]) + part for i, part in enumerate(parts.values())], read)


def exported_run() -> Reader:
    """config.json, as `python -m minicnn.onnx` reads it."""
    configs = [
        {"task": "parity", "network": "ParityCNN"},
        {"task": "generator", "network": "Autoencoder", "latent_dim": 4},
    ]
    generator = safetensors.save(models.Autoencoder(4).state_dict())

    def read(folder: Path, content: bytes) -> Any:
        (folder / "config.json").write_bytes(content)
        if not (folder / "model.safetensors").exists():
            (folder / "model.safetensors").write_bytes(generator)
        return trained.Trained(folder)

    return Reader([json.dumps(config).encode() for config in configs], read)


def images() -> Reader:
    from minicnn.data import MNIST

    large = Image.fromarray(255 - np.kron(MNIST().images[0], np.ones((2, 2), np.uint8)))
    seeds = []
    for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"):
        content = io.BytesIO()
        large.save(content, form)
        seeds.append(content.getvalue())
    content = io.BytesIO()
    large.convert("RGBA").save(content, "PNG")
    return Reader([*seeds, content.getvalue()], written("image", read_digit))


def flags() -> Reader:
    """Command lines: words from the input, one after each zero byte, given to every
    parser in turn.
    """
    commands = (predict, evaluate, convert, onnx, agree, summary, explore)
    parsers = [module.make_parser() for module in commands]
    train = settings.make_parser()
    seeds = [
        b"--epochs\0003\0--lr\0000.1\0--task\0generator\0--latent-dim\0008\0--shuffle",
        b"--backend\0numpy\0--threads\0002\0--seed\0001\0--data\0x\0--out\0y\0--target-accuracy\0000.5",
        b"RUN\0a.png\0--csv\0-\0--out\0b.png\0--quiet\0--as-is",
        b"RUN\0--batch-size\0007\0--csv\0c.csv\0--threads\0001",
        b"A\0b.pt\0--force\0--strip-prefix\0module.\0--model\0SimpleCNN",
        b"conv2d\0--examples\0003\0--dtype\0float64\0--seed\0001",
        b"--resume\0nowhere\0--epochs\0001",
        b"RUN\0model.onnx\0--force",
        b"SimpleCNN\0Generator",
        b"--run\0RUN\0--data\0x\0--port\00080\0--no-browser",
    ]

    def read(folder: Path, content: bytes) -> Any:
        words = [word.decode("utf-8", "surrogateescape") for word in content.split(b"\0")]
        with contextlib.redirect_stdout(io.StringIO()):
            for parser in parsers:
                try:
                    parser.parse_args(words)
                except SystemExit as error:
                    if error.code not in (0, 2):
                        raise NotRefusedProperly(f"{parser.prog}: exit status {error.code}") from error
            try:
                return settings.read_flags(train, words)
            except (OSError, ValueError) as error:
                train.error(str(error))  # as the command does

    return Reader(seeds, read)


READERS: dict[str, Callable[[], Reader]] = {
    "idx": idx,
    "gzip": zipped,
    "weights": weights,
    "torch weights": torch_weights,
    "checkpoint": checkpoint,
    "crafted checkpoint": crafted_checkpoint,
    "run folder": run_folder,
    "exported run": exported_run,
    "images": images,
    "flags": flags,
}


# --------------------------------------------------------------------------- the runner


def drawn_input(reader: Reader, rng: random.Random) -> bytes:
    if rng.random() < 0.03:
        return rng.randbytes(rng.randrange(64))
    content = rng.choice(reader.seeds)
    for edit in drawn_edits(rng):
        content = edit.apply(content)
    return content


def limit_memory() -> None:
    """An allocation beyond MEMORY fails, and a MemoryError is a find."""
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401 - reserves gigabytes of addresses, whatever is read
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trust.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)} (default: all)")
    parser.add_argument("--inputs", type=int, default=2000, metavar="N", help="for each reader (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides which ones (%(default)s)")
    parser.add_argument("--atheris", action="store_true", help="let Atheris choose; one reader")
    args = parser.parse_args(given)
    chosen = args.readers or list(READERS)
    if unknown := [name for name in chosen if name not in READERS]:
        parser.error(f"there is no reader {', '.join(unknown)}; choose from {', '.join(READERS)}")
    if args.atheris and len(chosen) != 1:
        parser.error("--atheris takes one reader at a time")
    if args.atheris:
        command = [sys.executable, "-c", WATCHED, chosen[0], str(args.inputs), str(args.seed)]
        return subprocess.run(command, check=False).returncode
    with minicnn.use_backend("numpy"):
        return hammer(chosen, args)


def hammer(chosen: Sequence[str], args: argparse.Namespace) -> int:
    readers = {name: READERS[name]() for name in chosen}
    with contextlib.suppress(OSError):
        limit_memory()
    print(f"{'reader':<20}{'inputs':>10}{'read':>10}{'refused':>10}{'finds':>8}{'seconds':>9}")
    found = 0
    for name, reader in readers.items():
        found += hammered(name, reader, args.inputs, args.seed)
    return int(found > 0)


def hammered(name: str, reader: Reader, inputs: int, seed: int) -> int:
    """Try as many inputs, print a row and one example of each kind of find; how many
    there were.
    """
    counts, finds, began = Counter[str](), dict[str, bytes](), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fuzzed-", dir=RAM) as folder:
        for i in range(inputs):
            content = drawn_input(reader, random.Random(f"{seed} {name} {i}"))
            try:
                counts[attack(reader, Path(folder), content)] += 1
            except NotRefusedProperly as error:
                counts["find"] += 1
                finds.setdefault(str(error)[:90].replace(folder, ""), content)
    seconds = time.perf_counter() - began
    print(
        f"{name:<20}{inputs:>10,}{counts['read']:>10,}{counts['refused']:>10,}{counts['find']:>8,}{seconds:>9.0f}",
        flush=True,
    )
    for sentence, content in list(finds.items())[:20]:
        print(f"    {sentence}\n        {content[:300]!r}")
    return counts["find"]


WATCHED = """
import sys
import atheris

with atheris.instrument_imports(include=["minicnn", "argparse"]):
    from tests.trust import fuzz
fuzz.guided(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""


def guided(name: str, inputs: int, seed: int) -> None:
    """libFuzzer's loop: inputs that reach new lines are kept and changed further."""
    import atheris

    minicnn.set_backend("numpy")
    reader = READERS[name]()
    with tempfile.TemporaryDirectory(prefix="fuzzed-", dir=RAM) as folder, tempfile.TemporaryDirectory() as corpus:
        for i, content in enumerate(reader.seeds):
            Path(corpus, str(i)).write_bytes(content)
        options = [
            *(f"-runs={inputs}", f"-seed={seed + 1}", f"-max_len={max(4096, 2 * max(map(len, reader.seeds)))}"),
            *("-print_final_stats=1", f"-rss_limit_mb={MEMORY // 2**20}"),
        ]
        atheris.Setup([sys.argv[0], *options, corpus], lambda content: attack(reader, Path(folder), content) and None)
        atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    sys.exit(main())
