"""What stands in a report → one HTML page that needs neither network nor other files.

All data is packed (gzip, base64) or JSON without angle brackets, so no caption can end the script it stands in; the
page's policy lets no script run but its own, and nothing be loaded.
"""

import base64
import gzip
import html
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import TypeVar

import msgspec
from plotly.offline import get_plotlyjs

from labelgen.report.data import Picture, Report
from labelshards import storage

_Row = TypeVar("_Row")

_SCRIPTS = ("data", "theme", "figures", "table", "filters", "decisions", "detail", "tree", "company", "main")


def render(report: Report) -> bytes:
    """The page. The same report gives the same bytes."""
    blocks = "\n".join(_blocks(report))
    nonce = storage.digest(blocks.encode())
    scripts = (f'<script nonce="{nonce}">\n{_part(f"{name}.js")}</script>' for name in _SCRIPTS)
    parts = {
        "nonce": nonce,
        "title": html.escape(report.title),
        "style": _part("page.css"),
        "data": blocks,
        "scripts": "\n".join(scripts),
    }
    page = _part("page.html")
    pieces = []
    while True:
        before, mark, page = page.partition("{{")
        pieces.append(before)
        if not mark:
            return "".join(pieces).encode()
        name, _, page = page.partition("}}")
        pieces.append(parts[name])


def _blocks(report: Report) -> Iterator[str]:
    encode = msgspec.json.encode
    yield _packed("data-core", encode(report.core))
    for number, block in enumerate(_cut(report.details, report.core.classes_per_block)):
        yield _packed(f"data-details-{number}", encode(block))
    for number, album in enumerate(_cut(report.pictures, report.core.pictures_per_block)):
        yield _script(f"data-pictures-{number}", _album(album))
    yield _packed("data-plotly", get_plotlyjs().encode())


def _cut(rows: list[_Row], size: int) -> Iterable[list[_Row]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _packed(name: str, data: bytes) -> str:
    return _script(name, base64.b64encode(gzip.compress(data, 6, mtime=0)).decode())


def _album(pictures: list[Picture]) -> str:
    """[[base64, key, caption], …], without the bracket that could end a script."""
    rows = [(base64.b64encode(each.webp).decode(), each.key, each.caption) for each in pictures]
    return msgspec.json.encode(rows).decode().replace("<", "\\u003c")


def _script(name: str, content: str) -> str:
    return f'<script type="text/plain" id="{name}">{content}</script>'


def _part(name: str) -> str:
    return (resources.files("labelgen.report") / "assets" / name).read_text(encoding="utf-8")
