"""A sheet of pictures, each with its caption, its labels, and what the encoder sees in it."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

_COLUMNS = 4
_TOP = 5
# Pixels, from here on; what is counted in lines or characters says so.
_PICTURE = 280
_PAD = 16
_LINE = 20
_CAPTION_LINES = 3
_CAPTION_CHARACTERS = 42
_LABEL_LINES = 2
_NAME_CHARACTERS = 17
_BAR = (160, 74)  # left edge within a panel, width
_PANEL = (_PICTURE + 2 * _PAD, _PICTURE + _LINE * (_CAPTION_LINES + _LABEL_LINES + _TOP) + 4 * _PAD)
_UNLABELLED = _LINE * (_LABEL_LINES + _CAPTION_LINES - 1) + _PAD // 2  # what a panel with a name alone needs less
_MARGIN = 28
_HEADER = 64
_FOOTER = 40

_PAPER, _CARD, _EDGE = "#f4f2ee", "#ffffff", "#dedad2"
_INK, _QUIET = "#26241f", "#817c71"
_RIGHT, _OTHER = "#1b8a4b", "#a9a498"

Font: TypeAlias = ImageFont.ImageFont | ImageFont.FreeTypeFont
Point: TypeAlias = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One sample beside what the encoder makes of it.

    pixels_CHW: uint8, the whole picture. labels: int64 class ids, rising; None where nobody knows them, and the caption
    is then the picture's name. probabilities_K: float32; a class with 0 is not shown.
    """

    pixels_CHW: torch.Tensor
    captions: list[str]
    labels: np.ndarray | None
    probabilities_K: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What is written on a sheet. names: of the classes, by class id. credit: the pictures' licence, in the footer."""

    title: str
    names: Sequence[str]
    credit: str = ""

    def draw(self, predictions: Sequence[Prediction]) -> Image.Image:
        """The sheet as an RGB image, four pictures a row."""
        columns = min(_COLUMNS, max(1, len(predictions)))
        rows = -(-len(predictions) // columns)
        is_labelled = any(prediction.labels is not None for prediction in predictions)
        panel = _PANEL[0], _PANEL[1] - (0 if is_labelled else _UNLABELLED)
        width = 2 * _MARGIN + columns * (panel[0] + _PAD) - _PAD
        height = _HEADER + _FOOTER + rows * (panel[1] + _PAD) + _MARGIN - _PAD
        sheet = Image.new("RGB", (width, height), _PAPER)
        pen = ImageDraw.Draw(sheet)
        pen.text((_MARGIN, 20), _cut(self.title, width // 11), fill=_INK, font=_font(22))
        for index, prediction in enumerate(predictions):
            row, column = divmod(index, columns)
            x, y = _MARGIN + column * (panel[0] + _PAD), _HEADER + row * (panel[1] + _PAD)
            pen.rounded_rectangle((x, y, x + panel[0], y + panel[1]), 10, fill=_CARD, outline=_EDGE)
            self._panel(sheet, pen, (x + _PAD, y + _PAD), prediction)
        left, foot = float(_MARGIN), height - _FOOTER + 8
        if is_labelled:
            _check(pen, (_MARGIN, foot + 2))
            legend = "among the labels of the caption"
            pen.text((_MARGIN + 20, foot), legend, fill=_QUIET, font=_font(13))
            left += 60 + pen.textlength(legend, font=_font(13))
        pen.text((left, foot), _cut(self.credit, int(width - left) // 7), fill=_QUIET, font=_font(13))
        return sheet

    def _panel(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, corner: Point, prediction: Prediction) -> None:
        x, y = corner
        picture = Image.fromarray(np.ascontiguousarray(prediction.pixels_CHW.permute(1, 2, 0).numpy()))
        scale = _PICTURE / max(picture.size)
        picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        pen.rectangle((x, y, x + _PICTURE - 1, y + _PICTURE - 1), fill=_PAPER)
        sheet.paste(picture, (x + (_PICTURE - picture.width) // 2, y + (_PICTURE - picture.height) // 2))
        y += _PICTURE + _PAD
        caption = prediction.captions[0] if prediction.captions else "(this label set keeps no captions)"
        y = _paragraph(pen, (x, y), caption, 1 if prediction.labels is None else _CAPTION_LINES, _INK)
        if prediction.labels is not None:
            labels = ", ".join(self.names[class_id] for class_id in prediction.labels)
            y = _paragraph(pen, (x, y + _PAD // 2), f"Labels: {labels}", _LABEL_LINES, _QUIET)
        y += _PAD // 2
        for class_id in np.argsort(-prediction.probabilities_K, kind="stable")[:_TOP].tolist():
            if not prediction.probabilities_K[class_id]:
                break
            is_right = None if prediction.labels is None else class_id in prediction.labels
            self._row(pen, (x, y), class_id, float(prediction.probabilities_K[class_id]), is_right)
            y += _LINE

    def _row(
        self, pen: ImageDraw.ImageDraw, at: Point, class_id: int, probability: float, is_right: bool | None
    ) -> None:
        """is_right: None where nobody knows, which leaves no room for a tick."""
        x, y = at
        if is_right:
            _check(pen, (x, y + 2))
        color = _RIGHT if is_right else _OTHER
        name = _cut(self.names[class_id], _NAME_CHARACTERS)
        pen.text((x if is_right is None else x + 20, y), name, fill=_RIGHT if is_right else _INK, font=_font(14))
        left, width = x + _BAR[0], _BAR[1]
        pen.rounded_rectangle((left, y + 5, left + width, y + 13), 4, fill=_PAPER)
        if (filled := round(probability * width)) > 0:
            pen.rounded_rectangle((left, y + 5, left + max(filled, 4), y + 13), 4, fill=color)
        pen.text((x + _PICTURE, y), f"{probability:.0%}", fill=_QUIET, font=_font(13), anchor="ra")


def png(image: Image.Image) -> bytes:
    """The image as a PNG file holds it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _paragraph(pen: ImageDraw.ImageDraw, at: Point, text: str, lines: int, color: str) -> int:
    """Write at most `lines` lines; the height is that of all of them, so that panels align. Returns where it ends."""
    x, y = at
    wrapped = textwrap.wrap(
        " ".join(text.split()), _CAPTION_CHARACTERS, max_lines=lines, placeholder="…", break_long_words=True
    )
    for number, line in enumerate(wrapped):
        pen.text((x, y + number * _LINE), line, fill=color, font=_font(14))
    return y + lines * _LINE


def _check(pen: ImageDraw.ImageDraw, at: Point) -> None:
    """A tick, drawn: the default font has none, and colour alone is not for everybody."""
    x, y = at
    pen.line([(x + 1, y + 7), (x + 5, y + 11), (x + 13, y + 2)], fill=_RIGHT, width=3, joint="curve")


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
