"""The course's second exercise, a generator of transposed convolutions: paint the digit."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..kernels import arrays
from ..models import Autoencoder
from ..nn import MSELoss
from .task import Task, gather

MOST_LATENT = 10_000
# The colour of each class, in their order. All are told apart at a glance, and most easily
# those of the digits that look alike: 3, 5, 8 and 4, 9.
COLOURS = {
    "red": "#ff4b55",
    "orange": "#ff9130",
    "yellow": "#ffdb3b",
    "lime": "#8fd14f",
    "green": "#12b886",
    "cyan": "#3fd0f0",
    "blue": "#3f7bff",
    "violet": "#9a5cff",
    "pink": "#ff6bd6",
    "white": "#ececec",
}
RGB = (
    np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in COLOURS.values()], np.float32) / 255
)  # (10, 3)
INK = arrays.Constant(RGB)
DIRECTIONS = arrays.Constant(np.square(RGB) / np.linalg.norm(np.square(RGB), axis=1, keepdims=True))  # (10, 3)


class Paintings(NamedTuple):
    """What the pictures show."""

    labels: np.ndarray  # (N,)
    found: np.ndarray  # (N,) the class in whose colour each validation image was painted
    originals: np.ndarray  # (10, 3, 3, 100, 100) three of each class
    painted: np.ndarray  # the same, painted by the network
    walks: np.ndarray  # (rows, steps, 3, 100, 100)
    plane: np.ndarray  # (N, 2) the codes, seen from where they spread most
    variance: float  # how much of their variance that view shows
    cells: int  # a grid over it has so many rows and columns
    places: np.ndarray  # (M,) index of one code in each cell that has any
    there: np.ndarray  # (M, 3, 100, 100) what is painted from these


class Painting(Task):
    """An encoder turns the digit into a few numbers, a generator paints it from them.

    The picture is large, and in its class's colour. Both networks learn together from the
    squared differences to the picture that is wanted. To choose the colour, the numbers must
    say which digit it is, though nobody asked for that; in doubt the colours mix. A picture is
    right if its ink is nearest to the colour of its own class.
    """

    name = "generator"
    question = "paint it in colour, 100 x 100 pixels, from a few numbers"
    loss = "mean squared error"
    defaults: Mapping[str, Any] = {"epochs": 16, "lr": 2e-3, "batch_size": 32, "latent_dim": 16}

    def network(self, config):
        size = config["latent_dim"]
        if type(size) is not int or not 1 <= size <= MOST_LATENT:  # before memory is spent on it
            raise ValueError(f"latent_dim must be a whole number from 1 to {MOST_LATENT}, got {size!r}")
        return Autoencoder(size)

    def criterion(self):
        return MSELoss()

    def targets(self, images, labels):
        colours = INK.beside(images)[labels]  # (N, 3)
        return enlarge(images) * colours[:, :, None, None]  # (N, 3, 100, 100)

    def count_right(self, outputs, targets):
        return (nearest_colour(outputs) == nearest_colour(targets)).sum()

    def examine(self, model, batches):
        model.eval()
        images, labels, codes = gather((x, y, model.encoder(x)) for x, y in batches)
        parts = np.array_split(codes, -(-len(codes) // 64))  # all pictures at once would need 120 MB and more
        (found,) = gather((nearest_colour(model.generator(part)),) for part in parts)

        of_class = [np.flatnonzero(labels == k) for k in range(len(RGB))]
        originals = np.zeros((len(RGB), 3, 3, 100, 100), np.float32)  # black where a class has fewer than three
        painted = originals.copy()
        for k, chosen in enumerate(of_class):
            chosen = chosen[:3]
            if len(chosen):
                originals[k, : len(chosen)] = self.targets(images[chosen], labels[chosen])
                painted[k, : len(chosen)] = model.generator(codes[chosen])
        ends = [chosen[0] for chosen in of_class if len(chosen)]
        starts = ends[0:-1:2] or ends  # from 0 to 1, from 2 to 3 ...; a single class stays where it is
        walks = [
            model.generator(np.linspace(codes[a], codes[b], 11, dtype=codes.dtype))
            for a, b in zip(starts, ends[1::2] or ends, strict=False)
        ]
        cells = 15
        plane, variance = principal_plane(codes)
        places = scattered(plane, cells)
        there = model.generator(codes[places])
        return Paintings(
            labels=labels,
            found=found,
            originals=originals,
            painted=painted,
            walks=np.stack(walks),
            plane=plane,
            variance=variance,
            cells=cells,
            places=places,
            there=there,
        )

    def report(self, results):
        names = list(COLOURS)
        right = results.found == results.labels
        wrong = Counter(zip(results.labels[~right], results.found[~right], strict=True)).most_common(3)
        pairs = ", ".join(f"{truth} painted {names[found]} like {found} ({times}x)" for (truth, found), times in wrong)
        return (
            f"Own colour         {right.sum()} of {len(right)} digits:"
            f" {', '.join(f'{digit} {name}' for digit, name in enumerate(names))}\n"
            f"Most often wrong   {pairs or 'none'}"
        )

    def draw(self, folder, history, filters, results):
        from .. import plots  # only now: Matplotlib takes its time to import

        plots.draw_painting(folder, history, filters, RGB, **results._asdict())


def enlarge(images: np.ndarray, size: int = 100) -> np.ndarray:
    """(N, 1, 28, 28) -> (N, 1, 100, 100), bilinear, then twice the contrast for crisp edges.

    An output pixel lies between two input pixels, and takes more from the nearer one. As
    interpolation is linear, it is a matrix (100, 28) along each axis.
    """
    share = shares(images.shape[-1], size).beside(images)
    return (2 * (share @ images @ share.T) - 0.5).clip(0, 1)


@lru_cache(8)
def shares(pixels: int, size: int) -> arrays.Constant:
    """(size, pixels): what an output pixel takes of each input pixel; each row sums to 1."""
    at = np.arange(pixels)
    centres = np.clip((np.arange(size) + 0.5) * pixels / size - 0.5, 0, at[-1])
    return arrays.Constant(np.maximum(0, 1 - abs(centres[:, None] - at)))


def nearest_colour(pictures: np.ndarray) -> np.ndarray:
    """The class (N,) whose colour is nearest to that of the ink in each picture (N, 3, H, W).

    Nearest in direction, so that thick and thin, bright and dim strokes are alike. The channels
    are squared, so that the faint glow which a network leaves on the large black background
    weighs nothing against the ink.
    """
    ink = (pictures * pictures).sum((2, 3))  # (N, 3)
    return (ink @ DIRECTIONS.beside(ink).T).argmax(1)


def principal_plane(codes: np.ndarray) -> tuple[np.ndarray, float]:
    """Codes (N, L) -> (N, 2) in the plane where they spread most; its share of the variance."""
    centred = np.where(np.isfinite(codes), codes, 0).astype(np.float64)
    centred -= centred.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(codes), 2))
    plane[:, : len(axes[:2])] = centred @ axes[:2].T
    return plane, float(np.square(spread[:2]).sum() / max(np.square(spread).sum(), 1e-300))


def scattered(plane: np.ndarray, cells: int) -> np.ndarray:
    """Indices of points that lie apart: in each cell of a grid, the nearest to its centre."""
    low = plane.min(axis=0)
    high = plane.max(axis=0)
    place = (plane - low) / np.maximum(high - low, 1e-12) * cells  # in cells
    cell = np.minimum(place.astype(int), cells - 1)
    by_distance = np.argsort(np.square(place - cell - 0.5).sum(axis=1), kind="stable")
    _, first = np.unique(cell[by_distance] @ [cells, 1], return_index=True)
    return by_distance[first]
