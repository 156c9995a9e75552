"""A small picture for each curve, on one page."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "namegate"  # the same picture from the same figures
matplotlib.rcParams["svg.fonttype"] = "none"
COLUMNS = 3
OURS, NULL, BOUND = "#1f5fa8", "#888888", "#c23b22"


def bound_of(curve):
    """Where each point may be at most, in the unit of the picture; None where it has no bound."""
    base = curve.points[0].value
    for point in curve.points:
        if not point.most:
            yield None
        elif curve.measure == "to the first":
            yield base * point.most
        else:
            yield base + point.most


def draw(axes, curve):
    xs = [point.x for point in curve.points]
    values = [point.value for point in curve.points]
    bounds = [(x, most) for x, most in zip(xs, bound_of(curve)) if most is not None]
    axes.plot(xs, values, "o-", color=OURS, label="namegate")
    axes.plot(*zip(*bounds), "_", color=BOUND, markersize=14, label="at most")
    if curve.beside:
        axes.plot(*zip(*curve.beside), "s--", color=NULL, markersize=4, label="null")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.25 * max(values + [most for _, most in bounds]))
    axes.set_title(curve.title, fontsize=9)
    axes.set_xlabel(curve.along, fontsize=8)
    axes.set_ylabel(curve.unit, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=7, loc="upper right" if values[-1] < values[0] / 2 else "lower right")


def draw_all(curves, output):
    """Those that are curves: the others have two points, or ones that are no numbers."""
    drawn = [curve for curve in curves if len(curve.points) > 2 and curve.points[0].x]
    rows = -(-len(drawn) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(11, 2.9 * rows), squeeze=False)
    cells = [axes for row in grid for axes in row]
    for axes, curve in zip(cells, drawn):
        draw(axes, curve)
    for axes in cells[len(drawn):]:
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(output, metadata={"Date": None})
