"""The pictures that people bring: one digit of MNIST, drawn, scanned, photographed or cut
out, in thirty kinds.

Each kind is a function of a random generator and a digit, (28, 28) uint8, and returns a
Pillow image. Its docstring states the ranges from which sizes, greys, angles and places
are drawn. `page` gives what most begin with: the digit's coverage of a page, (H, W)
float32 from 0, paper, to 1, ink.
"""

import io
from collections.abc import Callable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageFilter

Random = np.random.Generator
Picture = Callable[[Random, np.ndarray], Image.Image]


# ----------------------------------------------------------------- what kinds are made of


def enlarge(digit: np.ndarray, side: int) -> np.ndarray:
    """The digit's coverage, (side, side), its edges two pixels wide as a pen's are in a
    scan.
    """
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    cover = np.asarray(large, np.float32) / 255
    sharpness = max(1.0, side / 100)
    return np.clip((cover - 0.5) * sharpness + 0.5, 0, 1)


def page(rng: Random, digit: np.ndarray, least: int = 120, most: int = 400) -> np.ndarray:
    """The digit, 28x28 become 120 to 400 pixels, anywhere on a page that is 1 to 1.6
    times as large in each direction.
    """
    side = int(rng.integers(least, most))
    return place(rng, enlarge(digit, side))


def place(rng: Random, cover: np.ndarray, room: float = 0.6) -> np.ndarray:
    height, width = cover.shape
    H = round(height * rng.uniform(1, 1 + room))
    W = round(width * rng.uniform(1, 1 + room))
    top = int(rng.integers(0, H - height + 1))
    left = int(rng.integers(0, W - width + 1))
    canvas = np.zeros((H, W), np.float32)
    canvas[top : top + height, left : left + width] = cover
    return canvas


def paper_and_ink(rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """Paper of grey 200 to 255, a little tinted; ink of any colour whose channels are at
    most 110.
    """
    paper = rng.integers(200, 256) - rng.integers(0, 12, 3)
    return paper.astype(np.float32), rng.integers(0, 110, 3).astype(np.float32)


def paint(cover: np.ndarray, paper: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32; `paper` is a colour, or an image to paint on."""
    share = cover[:, :, None]
    return share * ink + (1 - share) * paper


def image(colours: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(colours).clip(0, 255).astype(np.uint8))


def grain(rng: Random, colours: np.ndarray, most: float = 4) -> np.ndarray:
    """Normal noise with a standard deviation of up to `most` levels."""
    return colours + rng.normal(0, rng.uniform(0, most), colours.shape).astype(np.float32)


def line(shape: tuple[int, int], at: float, thickness: float, slope: float) -> np.ndarray:
    """The coverage of a line across the page: its height at the left edge, its rise over
    its run.
    """
    y, x = np.indices(shape, np.float32)
    distance = np.abs(y - at - slope * x)
    return np.clip(thickness / 2 + 0.5 - distance, 0, 1)


def turn(colours: np.ndarray, degrees: float, fill: float = 0) -> np.ndarray:
    """(H, W) about its middle."""
    turned = Image.fromarray(colours).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(turned)


def painted(rng: Random, cover: np.ndarray, lines: np.ndarray, colour: np.ndarray | None = None) -> Image.Image:
    """A page with lines below the digit; in the ink's colour unless another is given."""
    paper, ink = paper_and_ink(rng)
    lined = paint(lines, paper, ink if colour is None else colour)
    return image(grain(rng, paint(cover, lined, ink)))


# --------------------------------------------------------------- right from the beginning


def clean(rng: Random, digit: np.ndarray) -> Image.Image:
    """MNIST's own image."""
    return Image.fromarray(digit)


def drawing(rng: Random, digit: np.ndarray) -> Image.Image:
    """Dark ink on light paper, off centre."""
    paper, ink = paper_and_ink(rng)
    return image(grain(rng, paint(page(rng, digit), paper, ink)))


def light_on_dark(rng: Random, digit: np.ndarray) -> Image.Image:
    """Paper and ink exchanged: a blackboard, a dark screen."""
    ink, paper = paper_and_ink(rng)
    return image(grain(rng, paint(page(rng, digit), paper, ink)))


def tight_crop(rng: Random, digit: np.ndarray) -> Image.Image:
    """A margin of 1 to 8 pixels around the ink."""
    cover = page(rng, digit)
    rows, columns = (cover > 0.02).nonzero()
    cover = cover[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return image(paint(np.pad(cover, int(rng.integers(1, 9))), *paper_and_ink(rng)))


def transparent(rng: Random, digit: np.ndarray) -> Image.Image:
    """Ink of any grey whose paper is transparent."""
    cover = page(rng, digit)
    layers = np.full((*cover.shape, 4), rng.integers(0, 256), np.float32)
    layers[:, :, 3] = 255 * cover
    return image(layers)


def uneven_light(rng: Random, digit: np.ndarray) -> Image.Image:
    """Light falls off by 0.2 to 0.5 from one place on the page to its farthest corner."""
    colours = paint(page(rng, digit), *paper_and_ink(rng))
    H, W, _ = colours.shape
    y, x = np.indices((H, W), np.float32)
    distance = np.hypot(y / H - rng.uniform(0, 1), x / W - rng.uniform(0, 1))
    light = 1 - rng.uniform(0.2, 0.5) * (distance / distance.max()) ** 2
    return image(grain(rng, colours * light[:, :, None]))


def hard_shadow(rng: Random, digit: np.ndarray) -> Image.Image:
    """A straight shadow, 0.55 to 0.85 as bright, over 0.2 to 0.6 of the page, whose edge
    is 2 to 20 pixels wide.
    """
    colours = paint(page(rng, digit), *paper_and_ink(rng))
    y, x = np.indices(colours.shape[:2], np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = y * np.sin(angle) + x * np.cos(angle)
    edge = np.quantile(across, rng.uniform(0.2, 0.6))
    shade = np.clip((edge - across) / rng.uniform(2, 20) + 0.5, 0, 1)
    light = 1 - (1 - rng.uniform(0.55, 0.85)) * shade
    return image(grain(rng, colours * light[:, :, None]))


def thin_pen(rng: Random, digit: np.ndarray) -> Image.Image:
    """The ridge of the strokes, redrawn with a pen of 2 to 5 pixels."""
    side = int(rng.integers(150, 400))
    smooth = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    smooth = smooth.filter(ImageFilter.GaussianBlur(side / 40))
    highest = np.asarray(smooth.filter(ImageFilter.MaxFilter(2 * (side // 28) + 1)), np.float32)
    level = np.asarray(smooth, np.float32)
    ridge = (level > 0.9 * highest) & (level > 60)
    width = int(rng.integers(1, 3))
    drawn = Image.fromarray(np.uint8(255 * ridge)).filter(ImageFilter.MaxFilter(2 * width - 1))
    drawn = drawn.filter(ImageFilter.GaussianBlur(0.7))
    paper, ink = paper_and_ink(rng)
    return image(grain(rng, paint(place(rng, np.asarray(drawn, np.float32) / 255), paper, ink)))


def turned(rng: Random, digit: np.ndarray) -> Image.Image:
    """By 15 degrees, to either side."""
    paper, ink = paper_and_ink(rng)
    cover = turn(page(rng, digit), 15 * rng.choice([-1, 1]))
    return image(grain(rng, paint(cover.clip(0, 1), paper, ink)))


# --------------------------------------------------------------- with something around it


def canvas_border(rng: Random, digit: np.ndarray) -> Image.Image:
    """A frame of 1 to 3 pixels, grey 0 to 180, along the picture's edge."""
    colours = np.asarray(drawing(rng, digit), np.float32).copy()
    width = int(rng.integers(1, 4))
    colours[:width] = colours[-width:] = rng.integers(0, 181)
    colours[:, :width] = colours[:, -width:] = colours[0, 0]
    return image(colours)


def table_cell(rng: Random, digit: np.ndarray) -> Image.Image:
    """Lines on two or four sides, 1 to 4 pixels, up to 6 pixels inside the picture's
    edge, turned by up to a degree.
    """
    cover = page(rng, digit)
    lines = np.zeros_like(cover)
    thickness = rng.uniform(1, 4)
    slope = np.tan(np.radians(rng.uniform(-1, 1)))
    H, W = cover.shape
    rises = slope * W / 2, slope * H / 2
    lines = np.maximum(lines, line((H, W), rng.uniform(0, 6) - min(rises[0], 0), thickness, slope))
    lines = np.maximum(lines, line((W, H), rng.uniform(0, 6) + max(rises[1], 0), thickness, -slope).T)
    if rng.random() < 0.5:
        lines = np.maximum(lines, line((H, W), H - 1 - rng.uniform(0, 6) - max(rises[0], 0), thickness, slope))
        lines = np.maximum(lines, line((W, H), W - 1 - rng.uniform(0, 6) + min(rises[1], 0), thickness, -slope).T)
    grey = np.full(3, rng.integers(0, 130), np.float32)
    return painted(rng, cover, lines, grey)


def figure(rng: Random, digit: np.ndarray) -> Image.Image:
    """imshow in grey or its reverse: axes with or without ticks or none, 60 to 150 dots
    an inch, any aspect.
    """
    made = Figure(figsize=(rng.uniform(2, 6.4), rng.uniform(2, 4.8)), dpi=int(rng.integers(60, 150)))
    FigureCanvasAgg(made)
    axes = made.add_subplot()
    axes.imshow(digit, cmap=rng.choice(["gray", "gray_r"]), interpolation=rng.choice(["antialiased", "bilinear"]))
    style = rng.integers(0, 3)
    if style == 0:
        axes.set_axis_off()
    elif style == 1:
        axes.set(xticks=[], yticks=[])
    file = io.BytesIO()
    made.savefig(file, format="png")
    return Image.open(file)


def white_margin(rng: Random, digit: np.ndarray) -> Image.Image:
    """Light on dark, cut from a page: a white margin of 2 to 25 % of its size, other on
    each side.
    """
    colours = np.asarray(light_on_dark(rng, digit), np.float32)
    H, W, _ = colours.shape
    rows = np.round(H * rng.uniform(0.02, 0.25, 2)).astype(int)
    columns = np.round(W * rng.uniform(0.02, 0.25, 2)).astype(int)
    return image(np.pad(colours, (rows, columns, (0, 0)), constant_values=rng.integers(235, 256)))


def sheet_on_desk(rng: Random, digit: np.ndarray) -> Image.Image:
    """A sheet on a desk of grey 20 to 110, turned by up to 4 degrees, with a rim of 5 to
    20 % on each side.
    """
    cover = page(rng, digit)
    H, W = cover.shape
    rows = np.round(H * rng.uniform(0.05, 0.2, 2)).astype(int)
    columns = np.round(W * rng.uniform(0.05, 0.2, 2)).astype(int)
    degrees = rng.uniform(-4, 4)
    sheet = turn(np.pad(np.ones_like(cover), (rows, columns)), degrees).clip(0, 1)
    cover = turn(np.pad(cover, (rows, columns)), degrees).clip(0, 1)
    desk = rng.integers(20, 111) + rng.integers(-10, 11, 3)
    paper, ink = paper_and_ink(rng)
    return image(grain(rng, paint(cover, paint(sheet, desk, paper), ink)))


def desk_along_an_edge(rng: Random, digit: np.ndarray) -> Image.Image:
    """Grey 20 to 110 along one of the four sides, 3 to 15 % of the picture, turned by up
    to 3 degrees.
    """
    cover = page(rng, digit)
    side = int(rng.integers(0, 4))
    length = len(cover) if side < 2 else len(cover[0])
    far = round(length * rng.uniform(0.03, 0.15))
    rims = [(far, 0), (0, far)][side % 2]
    cover = np.pad(cover, (rims, (0, 0)) if side < 2 else ((0, 0), rims))
    y, x = np.indices(cover.shape, np.float32)
    if side >= 2:
        y, x = x, y
    if side % 2:
        y = y.max() - y
    desk = np.clip(far - y + np.tan(np.radians(rng.uniform(-3, 3))) * (x - x.max() / 2), 0, 1)
    paper, ink = paper_and_ink(rng)
    grey = np.full(3, rng.integers(20, 111), np.float32)
    return image(grain(rng, paint(desk, paint(cover, paper, ink), grey)))


# ----------------------------------------------------------------- as machines store them


def small_jpeg(rng: Random, digit: np.ndarray) -> Image.Image:
    """MNIST's own 28x28 pixels as a JPEG of quality 60 to 95."""
    file = io.BytesIO()
    Image.fromarray(digit).save(file, "JPEG", quality=int(rng.integers(60, 96)))
    return Image.open(file)


def dithered(rng: Random, digit: np.ndarray) -> Image.Image:
    """A scan in black and white: paper of grey 205 to 250 and ink of 10 to 90 as dots
    (Floyd and Steinberg).
    """
    grey = paint(page(rng, digit), np.full(3, rng.integers(205, 251)), np.full(3, rng.integers(10, 91)))
    return image(grain(rng, grey)).convert("L").convert("1")


def specks(rng: Random, digit: np.ndarray) -> Image.Image:
    """Pepper on 0.05 to 1 % of the pixels, one to three blots and crumbs of 3 to 9 pixels."""
    cover = page(rng, digit, 200)
    H, W = cover.shape
    cover = np.maximum(cover, rng.random((H, W)) < rng.uniform(0.0005, 0.01))
    for _ in range(rng.integers(1, 4)):
        size = int(rng.integers(3, 10))
        top, left = int(rng.integers(0, H - size)), int(rng.integers(0, W - size))
        cover[top : top + size, left : left + size] = 1
    return image(grain(rng, paint(cover, *paper_and_ink(rng))))


def faint_pencil(rng: Random, digit: np.ndarray) -> Image.Image:
    """Ink 20 to 45 levels darker than paper of grey 200 to 245, noise of up to 2."""
    paper = np.full(3, rng.integers(200, 246), np.float32)
    ink = paper - rng.integers(20, 46)
    return image(grain(rng, paint(page(rng, digit), paper, ink), 2))


# ------------------------------------------------------------------ with lines through it


def any_ink(rng: Random) -> np.ndarray:
    """Of lines: each channel from 0 to 190, so from the darkest ink to a light blue."""
    return rng.integers(0, 191, 3).astype(np.float32)


def ruled_lines(rng: Random, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Parallel lines of 1 to 3 pixels, turned by up to a degree."""
    thickness = rng.uniform(1, 3)
    slope = np.tan(np.radians(rng.uniform(-1, 1)))
    lines = np.zeros(shape, np.float32)
    for at in np.arange(rng.uniform(0, spacing), shape[0], spacing):
        lines = np.maximum(lines, line(shape, at, thickness, slope))
    return lines


def ruled_paper(rng: Random, digit: np.ndarray) -> Image.Image:
    """Lines of 1 to 3 pixels, 0.3 to 0.7 of the digit's size apart."""
    cover = page(rng, digit, 200)
    height = np.ptp((cover > 0.5).any(axis=1).nonzero())
    lines = ruled_lines(rng, cover.shape, height * rng.uniform(0.3, 0.7))
    return painted(rng, cover, lines, any_ink(rng))


def squared_paper(rng: Random, digit: np.ndarray) -> Image.Image:
    """Squares of 0.2 to 0.5 of the digit's size."""
    cover = page(rng, digit, 200)
    spacing = np.ptp((cover > 0.5).any(axis=1).nonzero()) * rng.uniform(0.2, 0.5)
    H, W = cover.shape
    lines = np.maximum(ruled_lines(rng, (H, W), spacing), ruled_lines(rng, (W, H), spacing).T)
    return painted(rng, cover, lines, any_ink(rng))


def red_margin(rng: Random, digit: np.ndarray) -> Image.Image:
    """A red line of 1 to 4 pixels from top to bottom, through the left half of the page."""
    cover = page(rng, digit, 200)
    H, W = cover.shape
    slope = np.tan(np.radians(rng.uniform(-1, 1)))
    lines = line((W, H), W * rng.uniform(0.05, 0.5), rng.uniform(1, 4), slope).T
    red = np.array([rng.integers(180, 240), rng.integers(20, 110), rng.integers(20, 110)], np.float32)
    return painted(rng, cover, lines, red)


def underline(rng: Random, digit: np.ndarray) -> Image.Image:
    """A line of the ink's colour, 2 to 6 pixels, 1 to 1.6 times the digit's width, at its
    foot or up to 0.15 of its height below.
    """
    cover = page(rng, digit, 200)
    rows, columns = (cover > 0.5).nonzero()
    at = rows.max() + np.ptp(rows) * rng.uniform(0, 0.15)
    slope = np.tan(np.radians(rng.uniform(-2, 2)))
    middle = (columns.min() + columns.max()) / 2
    reach = np.ptp(columns) * rng.uniform(1, 1.6) / 2
    lines = line(cover.shape, at - slope * middle, rng.uniform(2, 6), slope)
    lines[:, np.abs(np.arange(cover.shape[1]) - middle) > reach] = 0
    return painted(rng, cover, lines)


def form_box(rng: Random, digit: np.ndarray) -> Image.Image:
    """A box of 1 to 4 pixels around the digit, from touching it to 0.3 of its size away,
    on a page that goes on.
    """
    cover = np.pad(page(rng, digit, 200), 40)
    rows, columns = (cover > 0.5).nonzero()
    size = max(np.ptp(rows), np.ptp(columns))
    top, bottom = rows.min() - size * rng.uniform(0, 0.3), rows.max() + size * rng.uniform(0, 0.3)
    left, right = columns.min() - size * rng.uniform(0, 0.3), columns.max() + size * rng.uniform(0, 0.3)
    y, x = np.indices(cover.shape, np.float32)
    outside = np.maximum(np.maximum(top - y, y - bottom), np.maximum(left - x, x - right))
    lines = np.clip(rng.uniform(1, 4) / 2 + 0.5 - np.abs(outside), 0, 1)
    return painted(rng, cover, lines, any_ink(rng))


CLEAN = "clean"
KINDS: dict[str, tuple[Picture, float]] = {  # and the share of the clean accuracy that is asked for
    "clean": (clean, 1),
    "drawing": (drawing, 0.95),
    "light on dark": (light_on_dark, 0.95),
    "tight crop": (tight_crop, 0.95),
    "transparent paper": (transparent, 0.95),
    "uneven light": (uneven_light, 0.95),
    "hard shadow": (hard_shadow, 0.95),
    "thin pen": (thin_pen, 0.95),
    "turned by 15 degrees": (turned, 0.95),
    "canvas border": (canvas_border, 0.95),
    "table cell": (table_cell, 0.95),
    "Matplotlib figure": (figure, 0.95),
    "white margin": (white_margin, 0.95),
    "sheet on a desk": (sheet_on_desk, 0.95),
    "desk along an edge": (desk_along_an_edge, 0.95),
    "28x28 JPEG": (small_jpeg, 0.95),
    "dithered scan": (dithered, 0.95),
    "specks and blots": (specks, 0.95),
    "faint pencil": (faint_pencil, 0.95),
    "ruled paper": (ruled_paper, 0.85),
    "squared paper": (squared_paper, 0.85),
    "red margin line": (red_margin, 0.85),
    "underline": (underline, 0.85),
    "form's box": (form_box, 0.85),
}
