"""The zoo on one slide: a dot for each layer, from the fastest to the slowest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..picture import GOOD, INK, STAMP
from ..report import doubts
from ..work import EAGER
from .report import geometric_mean, judged, ratios

COLOURS = {
    "convolution": "#1f6fb4",
    "1 x 1": "#6baed6",
    "grouped": "#7b5ea7",
    "depthwise": "#d9822b",
    "transposed": "#2a9d8f",
    "pooling": "#c2385a",
    "linear": "#5f6b76",
}
NAMED = 4  # layers at either end that are named


def draw(path: str | Path, document: dict[str, Any]) -> None:
    rows = judged(document["zoo"]) or document["zoo"]
    rows = sorted(rows, key=lambda row: row["passes"]["together"]["ratio"])
    found = ratios(rows, "together")
    with plt.rc_context({"font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#bbbbbb"}):
        figure, axes = plt.subplots(figsize=(12, 6.75), layout="constrained")
        axes.axhline(1, color=INK, linewidth=1.2)
        for place, row in enumerate(rows):
            both = row["passes"]["together"]
            colour = COLOURS[row["kind"]]
            axes.plot([place] * 2, both["ratio_quartiles"], color=colour, linewidth=1.2, alpha=0.5)
            axes.plot(place, both["ratio"], "o", color=colour, markersize=6.5)
        mean = geometric_mean(found)
        axes.axhline(mean, color=GOOD, linewidth=1.4, linestyle=(0, (4, 2)))
        side = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
        axes.annotate(
            f"geometric mean {mean:.2f}",
            (1, mean),
            xytext=(0, -4 if mean < 1 else 4),
            va="top" if mean < 1 else "bottom",
            color=GOOD,
            **side,
        )
        axes.annotate(f"as fast as {EAGER}", (0.01, 1), xytext=(0, 4), va="bottom", **{**side, "ha": "left"})
        _scale(axes, rows)
        _name_ends(axes, rows)
        machine = document["machine"]
        faster = sum(ratio < 1 for ratio in found)
        title = f"{faster} of {len(found)} layers of well-known networks are faster than in torch"
        axes.set_title(title, loc="left", fontsize=16, fontweight="bold", pad=28)
        *small, large = sorted({row["batch"] for row in rows})
        batch = f"batch {large}" + "".join(f" (large images {N})" for N in small)
        about = (
            f"minicnn with Numba, torch {machine['versions']['torch']} eager; forward + backward, {batch}, "
            f"{rows[0]['threads']} thread{'s' * (rows[0]['threads'] > 1)}, {machine['cpu']}"
        )
        axes.text(0, 1.015, about, transform=axes.transAxes, fontsize=10, color="#666666", va="bottom")
        if (doubt := doubts(document)) is not None:
            figure.text(0.5, 0.5, doubt, **STAMP)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def _scale(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    ends = [end for row in rows for end in row["passes"]["together"]["ratio_quartiles"]]
    axes.set_ylim(min(*ends, 0.5) / 1.4, max(*ends, 1.5) * 1.3)
    axes.set_ylabel("time / torch's time (lower is faster)")
    axes.set_xlabel(f"the {len(rows)} layers, sorted (line: quartiles over the rounds)")
    axes.set_xticks([])
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    kinds = [kind for kind in COLOURS if any(row["kind"] == kind for row in rows)]
    dots = [plt.Line2D([], [], marker="o", linestyle="", color=COLOURS[kind], markersize=6.5) for kind in kinds]
    axes.legend(dots, kinds, frameon=False, loc="upper left", bbox_to_anchor=(0.02, 0.99), ncols=2)


def _name_ends(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """The first and the last few: a column of text in either empty corner."""
    few = min(NAMED, len(rows) // 2)
    for number in range(few):
        step = 0.05 * number
        _name(axes, number, rows[number], at=(0.22, 0.03 + step), ha="left")
        _name(axes, len(rows) - 1 - number, rows[-1 - number], at=(0.78, 0.97 - step), ha="right")


def _name(axes: Axes, place: int, row: dict[str, Any], at: tuple[float, float], ha: str) -> None:
    both = row["passes"]["together"]
    axes.annotate(
        f"{row['network']}, {row['role']}: {both['ratio']:.2f}",
        (place, both["ratio"]),
        xytext=at,
        textcoords="axes fraction",
        ha=ha,
        va="center",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "linewidth": 0.8, "shrinkB": 4},
    )
