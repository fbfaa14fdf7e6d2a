"""Raw captions → clean text: what a person would read. Whatever is not text is taken out, nothing is added."""

import html
import re
import unicodedata
from urllib.parse import unquote

import ftfy

MAX_CHARACTERS = 2_000

_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")


def normalize(caption: str) -> tuple[str, bool]:
    """(clean text, whether it was cut).

    HTML entities and URL quoting are decoded, tags dropped, mojibake mended, Unicode composed (NFC), control
    characters dropped, white space collapsed. Longer than 2,000 characters is cut at a space.
    """
    # A caption is cut before the costly steps; the factor leaves room for entities and tags that shrink.
    text = caption[: 8 * MAX_CHARACTERS]
    if "%" in text and " " not in text.strip() and _PERCENT.search(text):
        text = unquote(text.replace("+", " "))
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", ftfy.fix_text(text))
    text = " ".join(
        "".join(c if c.isprintable() else " " for c in text).split() if not text.isprintable() else text.split()
    )
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rsplit(" ", 1)[0]
        return text, True
    return text, len(caption) > 8 * MAX_CHARACTERS
