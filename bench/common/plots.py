"""Pictures of the comparison: the servers side by side, with null as a line across each row."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

from rows import THEMES, UNITS  # noqa: E402
from servers import SERVERS  # noqa: E402

matplotlib.rcParams["svg.hashsalt"] = "namegate"  # the same picture from the same figures
matplotlib.rcParams["svg.fonttype"] = "none"
COLOURS = {
    "namegate": "#c23b22",
    "unbound": "#3a7d44",
    "bind": "#b07d2b",
    "dnsdist": "#7b5ea7",
    "kresd": "#5b8fb0",
}
QUERIES = ("cached", "blocked", "forward", "sat")
CONNECTIONS = ("open", "rate", "idle")
BAR = 0.15
CUT = 2.2  # times the second dearest of a panel's rows: who is beyond is cut off


def draw(path, judge, themes, width, rows_wide):
    """One panel for each theme that has figures; False: there are none."""
    shown = [theme for theme in themes if any(row.theme == theme for row in judge.rows)]
    if not shown:
        return False
    lines = -(-len(shown) // rows_wide)
    most = max(sum(row.theme == theme for row in judge.rows) for theme in shown)
    size = (width, lines * (1.2 + 0.62 * most))
    figure, panels = plt.subplots(lines, rows_wide, figsize=size, squeeze=False)
    for panel, theme in zip(panels.flat, shown):
        draw_theme(panel, judge, theme)
    for panel in list(panels.flat)[len(shown):]:
        panel.axis("off")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=6, fontsize=9, frameon=False)
    figure.tight_layout(rect=(0, 0.5 / size[1], 1, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


def draw_theme(panel, judge, theme):
    rows = [row for row in judge.rows if row.theme == theme]
    names = [name for name in COLOURS if name in judge.servers]
    limit = limit_of([judge.figure(row, name) for row in rows for name in [*names, "null"]])
    for number, name in enumerate(names):
        values = [judge.figure(row, name) or 0 for row in rows]
        places = [i + (number - (len(names) - 1) / 2) * BAR for i in range(len(rows))]
        bars = panel.barh(places, values, BAR, color=COLOURS[name], label=SERVERS[name].label)
        write_values(panel, bars, values, limit)
    draw_null(panel, judge, rows)
    panel.set_yticks(range(len(rows)), [row.name.replace("/" + theme, "") for row in rows])
    panel.invert_yaxis()
    panel.set_xlim(0, limit)
    panel.xaxis.set_major_formatter(lambda value, _: "{:,.0f}".format(value))
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.set_title(THEMES[theme], fontsize=10, loc="left")
    panel.set_xlabel(UNITS[rows[0].figure] if theme in CONNECTIONS else "CPU-µs a query")
    panel.grid(True, axis="x", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_axisbelow(True)


def limit_of(values):
    """Where the panel ends: one who is far beyond all others is cut off, and its number told."""
    known = sorted(value for value in values if value)
    usual = known[int(len(known) * 0.9) - 1] if len(known) > 9 else known[-1]
    return 1.12 * min(known[-1], CUT * usual)


def write_values(panel, bars, values, limit):
    for bar, value in zip(bars, values):
        if value:
            words = "{:,.0f}".format(value) if value >= 100 else "%.1f" % value
            beyond = value > 0.93 * limit
            place = 0.99 * limit if beyond else value + limit / 150
            panel.text(place, bar.get_y() + bar.get_height() / 2, words, fontsize=6.5,
                       va="center", ha="right" if beyond else "left",
                       color="white" if beyond else "black")


def draw_null(panel, judge, rows):
    label = "null: no DNS work"
    for i, row in enumerate(rows):
        value = judge.figure(row, "null")
        if value:
            panel.plot([value, value], [i - 0.45, i + 0.45], color="black", linewidth=1.6,
                       label=label)
            label = None
