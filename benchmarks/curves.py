"""Draws the figures over the number of images, both on logarithmic scales."""

from pathlib import Path
from typing import Any

from benchmarks.results import Results, Who
from benchmarks.rows import BY_NAME

PICTURES = {
    "changes": ("save_label", "add_image", "update_image_info", "update_label_info", "remove_label", "remove_image"),
    "opening": ("first open", "open again", "refresh, nothing new", "refresh, 10 new", "json()", "the JSON snapshot"),
    "reading": ("get_image_uri", "get_label_uri", "get_image_info", "list_images", "get_unlabeled_images", "status"),
}
_LINES = {
    Who.OURS: ("#0b6e4f", "-", "o"),
    Who.LIMIT: ("#555555", ":", "."),
    Who.THEIRS: ("#c1440e", "-", "s"),
    Who.MENDED: ("#e0a030", "--", "^"),
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Write a PNG for each group of rows; give their paths."""
    import matplotlib  # only a run that writes pictures needs it

    matplotlib.use("agg")
    from matplotlib import pyplot

    written = []
    for name, rows in PICTURES.items():
        figure, places = pyplot.subplots(2, 3, figsize=(11, 6.2), layout="constrained")
        for place, row in zip(places.flat, rows, strict=True):
            _draw_row(place, results, row)
        lines = {line.get_label(): line for place in places.flat for line in place.get_lines()}
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, frameon=False)
        written.append(folder / f"benchmarks-{name}.png")
        figure.savefig(written[-1], dpi=110)
        pyplot.close(figure)
    return written


def _draw_row(place: Any, results: Results, row: str) -> None:
    limit = BY_NAME[row].limit
    for who, (colour, style, marker) in _LINES.items():
        name = row if who is not Who.LIMIT else limit.value if limit else ""
        sizes = [size for size in results.sizes(who, name) if size]
        values = [results.median(who, name, size) for size in sizes]
        if sizes:
            place.loglog(sizes, values, color=colour, linestyle=style, marker=marker, markersize=4, label=who.value)
    place.set_title(row, fontsize=10)
    place.set_xlabel("images", fontsize=8)
    place.set_ylabel("seconds", fontsize=8)
    place.tick_params(labelsize=8)
    place.grid(which="major", color="#dddddd", linewidth=0.6)
