"""The picture: how long each contender takes beside torch eager, and how the cost grows
with the work.
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .report import doubts
from .scale import cost, curves, slope
from .work import COMPILED, EAGER, ONNX_RUNTIME, OPENVINO, OURS, TEXTBOOK, TUNED

COLOURS = {
    EAGER: "#8a8a8a",
    TUNED: "#c9a227",
    COMPILED: "#9c6ade",
    ONNX_RUNTIME: "#d1495b",
    OPENVINO: "#3a9d7c",
    TEXTBOOK: "#9ec5e8",
    OURS: "#1f6fb4",
}
GOOD, INK = "#2e7d32", "#333333"
STAMP = {
    "ha": "center",
    "va": "center",
    "rotation": 12,
    "fontsize": 20,
    "color": "#b3261e",
    "wrap": True,
    "zorder": 10,
    "bbox": {"facecolor": "white", "edgecolor": "#b3261e", "alpha": 0.9},
}  # across the whole picture, so that it cannot be cut off


def draw(path: str | Path, document: dict[str, Any]) -> None:
    """Whatever of the two the run has; nothing to draw is an error."""
    rows = [row for row in document["results"] if len(row["contenders"]) > 1]
    every_curve = list(curves(document["scale"]).values())
    lines_of_curves = -(-len(every_curve) // 3)
    if not rows and not every_curve:
        raise ValueError("--plot: this run measured nothing that can be drawn; name step, layers, shapes or scale.")

    lines = sum(1 + len(row["contenders"]) for row in rows)
    heights = [0.14 * lines + 0.8] * bool(rows) + [2.4 * lines_of_curves] * bool(every_curve)
    with plt.rc_context({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#bbbbbb"}):
        figure = plt.figure(figsize=(11, sum(heights) + 1.1), layout="constrained")
        machine = document["machine"]
        versions = machine["versions"]
        figure.suptitle(
            f"{machine['cpu']}, {machine['threads']} threads; torch {versions['torch']}, numba {versions['numba']},"
            f" numpy {versions['numpy']}\n{machine['command']}  ({machine['started'][:10]})",
            fontsize=9,
        )
        if (doubt := doubts(document)) is not None:
            figure.text(0.5, 0.5, doubt, **STAMP)
        parts = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        if rows:
            draw_ratios(parts[0].subplots(), rows)
        if every_curve:
            panels = parts[-1].subplots(lines_of_curves, 3, squeeze=False).ravel()
            for axes, points in zip(panels, every_curve, strict=False):
                draw_curve(axes, points)
            for axes in panels[len(every_curve) :]:
                axes.set_axis_off()
            parts[-1].supylabel("milliseconds")
        figure.savefig(path, dpi=130)
        plt.close(figure)


def draw_ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """A group of bars for each work, on a logarithmic axis: half as long is as far from
    1 as twice as long.
    """
    y, ticks = 0.0, []
    for row in rows:
        others = [(name, entry) for name, entry in row["contenders"].items() if name != EAGER]
        top = y - 0.5
        for name, entry in others:
            low, high = entry["ratio_quartiles"]
            axes.barh(y, entry["ratio"] - 1, left=1, height=0.8, color=COLOURS[name])
            axes.plot([low, high], [y, y], color=INK, linewidth=1, alpha=0.6)
            right = entry["ratio"] >= 1
            axes.annotate(
                f"{entry['ratio']:.2f}",
                (max(high, 1) if right else min(low, 1), y),
                xytext=(4 if right else -4, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
                zorder=5,
            )
            y += 1
        for bar in row["bars"]:
            if bar["against"] == EAGER and bar["met"] is not None:
                axes.plot([bar["bar"]] * 2, [top, y - 0.5], color="#b3261e", linewidth=1.6)
                if bar["aim"] is not None:
                    axes.plot([bar["aim"]] * 2, [top, y - 0.5], color=GOOD, linewidth=1.6, linestyle=(0, (2, 1)))
        ticks.append(((top + y - 0.5) / 2, f"{row['work']}, {row['threads']} thread{'s' * (row['threads'] > 1)}"))
        y += 0.6
    axes.axvline(1, color=COLOURS[EAGER], linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    axes.set_xlim(low / 1.25, high * 1.25)
    axes.set_ylim(y - 0.2, -1)
    axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.tick_params(left=False, which="both", length=2)
    axes.set_xlabel("time / torch eager's time (left is faster; line: quartiles over the rounds)")
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    names = [name for name in COLOURS if name != EAGER and any(name in row["contenders"] for row in rows)]
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[name]) for name in names]
    if any(bar["met"] is not None for row in rows for bar in row["bars"]):
        handles += [plt.Line2D([], [], color="#b3261e"), plt.Line2D([], [], color=GOOD, linestyle=(0, (2, 1)))]
        names += [f"{OURS}: at most (the limit set here)", "its aim (not promised)"]
    axes.legend(handles, names, ncols=len(names), frameon=False, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)


def draw_curve(axes: Axes, points: list[dict[str, Any]]) -> None:
    """Milliseconds; the legend has the slopes."""
    at = [point["at"] for point in points]
    for contender in points[0]["row"]["contenders"]:
        costs = [cost(point, contender) for point in points]
        label = f"{contender}: slope {slope(points, contender):.2f}"
        axes.plot(at, costs, marker="o", markersize=3, linewidth=1.5, color=COLOURS[contender], label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(at, [str(place) for place in at])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.set_title(f"{points[0]['what']} against {points[0]['axis']}", fontsize=8, loc="left")
    axes.legend(frameon=False, fontsize=7)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
