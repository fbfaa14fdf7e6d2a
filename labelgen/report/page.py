"""What stands in a report → one HTML page that needs neither network nor other files."""

import base64
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import TypeVar

import msgspec
from plotly.offline import get_plotlyjs

from labelgen.report.data import Report
from labelshards import webpage

_Row = TypeVar("_Row")

_SCRIPTS = ("data", "theme", "figures", "table", "filters", "decisions", "detail", "tree", "company", "main")


def render(report: Report) -> bytes:
    """The page. The same report gives the same bytes."""
    return webpage.render(
        _part("page.html"),
        title=report.title,
        style=_part("page.css"),
        scripts=[_part(f"{name}.js") for name in _SCRIPTS],
        data=_blocks(report),
    )


def _blocks(report: Report) -> Iterator[str]:
    encode = msgspec.json.encode
    yield webpage.packed("data-core", encode(report.core))
    for number, block in enumerate(_cut(report.details, report.core.classes_per_block)):
        yield webpage.packed(f"data-details-{number}", encode(block))
    for number, album in enumerate(_cut(report.pictures, report.core.pictures_per_block)):
        rows = [(base64.b64encode(each.webp).decode(), each.key, each.caption) for each in album]
        yield webpage.listed(f"data-pictures-{number}", rows)
    yield webpage.packed("data-plotly", get_plotlyjs().encode())


def _cut(rows: list[_Row], size: int) -> Iterable[list[_Row]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _part(name: str) -> str:
    return (resources.files("labelgen.report") / "assets" / name).read_text(encoding="utf-8")
