"""Small COCO data sets: rectangles on a grey ground."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.labelset_factory import COLOURS

HEIGHT, WIDTH = 40, 48
CATEGORIES = ((5, "dog"), (3, "cat"))


def write_coco(
    folder: Path,
    pictures: Sequence[Sequence[dict[str, Any]]],
    *,
    categories: Sequence[tuple[int, str]] = CATEGORIES,
    sizes: bool = True,
    outlines: bool = True,
) -> None:
    """`folder`/instances.json and its pictures. Objects: `box` (left, top, width, height), `category`, and more."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, objects in enumerate(pictures):
        pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        for one in objects:
            more = {key: value for key, value in one.items() if key not in ("box", "category")}
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": one["category"],
            }
            if one["box"] is not None:
                left, top, width, height = one["box"]
                pixels[max(0, top) : top + height, max(0, left) : left + width] = COLOURS[one["category"] % 5]
                corners = [left, top, left + width, top, left + width, top + height, left, top + height]
                annotation |= {"bbox": [left, top, width, height], "area": width * height, "iscrowd": 0}
                annotation |= {"segmentation": [corners]} if outlines else {}
            annotations.append(annotation | more)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        size = {"height": HEIGHT, "width": WIDTH} if sizes else {}
        images.append({"id": number, "file_name": f"{number}.png", **size})
    listed = [{"id": number, "name": name} for number, name in categories]
    text = json.dumps({"images": images, "annotations": annotations, "categories": listed})
    (folder / "instances.json").write_text(text)
