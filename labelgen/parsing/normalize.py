"""Raw captions → clean text: what a person would read. Whatever is not text is taken out, nothing is added."""

import html
import re
import unicodedata
from urllib.parse import unquote

import ftfy

MAX_CHARACTERS = 2_000

_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>")  # longer ones are text with a "<" in it
# No character has such a number, and Python reads none of more than 4,300 digits.
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{4000,};?")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
# How many layers of quoting are taken off ("&amp;amp;" has two); more is no text any more.
_MAX_LAYERS = 10
_ZERO_WIDTH_SPACE = "\u200b"


def normalize(caption: str) -> tuple[str, bool]:
    """(clean text, whether it was cut). Clean text stays as it is.

    HTML entities and URL quoting are decoded, tags dropped, mojibake mended, Unicode composed (NFC), control
    and format characters dropped, white space collapsed. Longer than 2,000 characters is cut at a space.
    """
    if _is_clean(caption):
        return caption, False
    # A caption is cut before the costly steps; the factor leaves room for entities and tags that shrink.
    text = _settled(caption[: 8 * MAX_CHARACTERS])
    cut = len(caption) > 8 * MAX_CHARACTERS
    if len(text) > MAX_CHARACTERS:
        # Once more, because a cut may make something new to clean, and clean text must stay as it is.
        text, cut = _settled(text[:MAX_CHARACTERS].rsplit(" ", 1)[0]), True
    return text, cut


def _is_clean(caption: str) -> bool:
    """True for most captions, which need nothing: short, ASCII, single spaces, and no mark of anything quoted."""
    return (
        caption.isascii()
        and caption.isprintable()
        and not ("&" in caption or "<" in caption or "%" in caption or "  " in caption)
        and not (caption.startswith(" ") or caption.endswith(" "))
        and len(caption) <= MAX_CHARACTERS
    )


def _settled(text: str) -> str:
    """`text`, cleaned until cleaning changes nothing: what was quoted twice comes out as once."""
    for _ in range(_MAX_LAYERS):
        before, text = text, _cleaned(text)
        if text == before:
            break
    return text


def _cleaned(text: str) -> str:
    # Only what has no spaces was quoted: "50%25 off" is what somebody wrote.
    if "%" in text and " " not in text.strip() and _PERCENT.search(text):
        text = unquote(text.replace("+", " "))  # as forms quote a space
    if "&" in text:
        text = html.unescape(_ENDLESS_NUMBER.sub("\ufffd", text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", ftfy.fix_text(text))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _in_place_of(c) for c in text)
    return " ".join(text.split())


def _in_place_of(character: str) -> str:
    """Nothing for what only shapes the text around it (soft hyphen, joiners, direction marks), else a space."""
    shapes = unicodedata.category(character) == "Cf" and character != _ZERO_WIDTH_SPACE
    return "" if shapes else " "
