"""One HTML page that needs neither network nor other files.

All data is packed (gzip, base64) or JSON without angle brackets, so no text can end the script it stands in; the page's
policy lets no script run but its own, and nothing be loaded. assets/base.css and base.js are in every page.
"""

import base64
import gzip
import html
from collections.abc import Iterable, Sequence
from importlib import resources

import msgspec

from labelshards import storage


def render(template: str, *, title: str, style: str, scripts: Sequence[str], data: Iterable[str]) -> bytes:
    """The page. Its template has places {{nonce}}, {{title}}, {{style}}, {{data}} and {{scripts}}.

    data: what `packed` and `listed` give. The same input gives the same bytes.
    """
    blocks = "\n".join(data)
    nonce = storage.digest(blocks.encode())
    parts = {
        "nonce": nonce,
        "title": html.escape(title),
        "style": _base("base.css") + style,
        "data": blocks,
        "scripts": "\n".join(f'<script nonce="{nonce}">\n{code}</script>' for code in (_base("base.js"), *scripts)),
    }
    pieces = []
    while True:
        # Step by step, as what is put in may have braces of its own.
        before, mark, template = template.partition("{{")
        pieces.append(before)
        if not mark:
            return "".join(pieces).encode()
        name, _, template = template.partition("}}")
        pieces.append(parts[name])


def packed(name: str, data: bytes) -> str:
    """A block of any data, for base.js's `unpack(name)`."""
    return _script(name, base64.b64encode(gzip.compress(data, 6, mtime=0)).decode())  # no time in it: the same bytes


def listed(name: str, rows: Sequence[object]) -> str:
    """A block of JSON, without the bracket that could end a script; for pictures, which gzip does not make smaller."""
    return _script(name, msgspec.json.encode(rows).decode().replace("<", "\\u003c"))


def _script(name: str, content: str) -> str:
    return f'<script type="text/plain" id="{name}">{content}</script>'


def _base(name: str) -> str:
    return (resources.files("labelshards") / "assets" / name).read_text(encoding="utf-8")
