"""Fetching the complete MNIST: several mirrors, known digests, all four files or none."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of the files as they were published. Gzipped anew, the same images have other digests.
DIGESTS = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def fetch(
    folder: str | os.PathLike,
    mirrors: str | Sequence[str] = MIRRORS,
    digests: Mapping[str, str] | None = None,
    retries: int = 2,
) -> None:
    """Put the files named in `digests` into `folder`, each from the first mirror that has it.

    ImportError without pooch, RuntimeError if no mirror has one of them: then nothing is kept.
    """
    pooch = _import_pooch()
    digests = DIGESTS if digests is None else digests
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A folder inside: moving the finished files out of it is then a mere change of name.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as unfinished:
        for name, digest in digests.items():
            _fetch_one(pooch, name, digest, unfinished, mirrors, retries)
        for name in digests:
            Path(unfinished, name).chmod(0o644)  # temporary files are for their owner only
            os.replace(Path(unfinished, name), folder / name)


def _fetch_one(pooch, name, digest, folder, mirrors, retries):
    answers = []
    for mirror in [mirrors] if isinstance(mirrors, str) else mirrors:
        mirror = mirror.rstrip("/") + "/"
        store = pooch.create(folder, mirror, registry={name: digest}, retry_if_failed=retries)
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty())
        try:
            store.fetch(name, downloader=downloader)
            return
        except (OSError, ValueError) as error:  # no connection, an HTTP error; a wrong digest
            answers.append(f"\n  {mirror}: {error}")
    raise RuntimeError(
        f"MNIST: no mirror gave {name}. Nothing was kept. They answered:{''.join(answers)}\n"
        "Try again later, or put the four files into the folder yourself."
    )


def _import_pooch():
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Downloading MNIST needs pooch: pip install 'minicnn[download]'. "
            "MNIST() without a root needs nothing: a subset is bundled."
        ) from error
    return pooch
