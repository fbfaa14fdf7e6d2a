"""Detections on test pictures, and COCO's average precision of their boxes and masks (pycocotools).

Shapes: N detections of a picture, K classes, H x W pixels.
"""

import contextlib
import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from trainer.distributed import World, on_all
from trainer.probes.data.objects import Objects
from trainer.probes.data.split import Split
from trainer.probes.detect.scenes import sized
from trainer.probes.features import UNREADABLE, reason_of
from trainer.probes.probe import Tick

_INSIDE = 0.5  # from this probability on, a pixel is in a mask


@dataclass(frozen=True, kw_only=True)
class Precision:
    """COCO's: mean over the overlaps 0.5 … 0.95, and at 0.5 alone. per_class: float64 [K], NaN without objects."""

    ap: float
    ap50: float
    per_class: np.ndarray


@torch.inference_mode()
def detect(
    model: MaskRCNN, split: Split, objects: Objects, world: World, tick: Tick
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """(detections in COCO's form, pictures that cannot be read by reason). All ranks must call this, and get the same.

    A picture's id is its row, a category's its class id.
    """
    from pycocotools import mask as coco_masks

    model.eval()
    found: list[dict[str, Any]] = []
    broken: Counter[str] = Counter()
    for row in range(world.rank, len(split), world.size):
        try:
            pixels_CHW = sized(split.pictures, objects, row)
        except UNREADABLE as error:
            broken[reason_of(error)] += 1
            continue
        [out] = model([pixels_CHW.to(world.device).float() / 255])
        inside_NHW = (out["masks"][:, 0] > _INSIDE).cpu().numpy().astype(np.uint8)
        boxes_N4, labels, scores = (out[name].cpu().tolist() for name in ("boxes", "labels", "scores"))
        for (left, top, right, bottom), label, score, mask_HW in zip(boxes_N4, labels, scores, inside_NHW, strict=True):
            found.append(
                {
                    "image_id": row,
                    "category_id": label - 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "score": score,
                    "segmentation": coco_masks.encode(np.asfortranarray(mask_HW)),  # COCO's runs go down the columns
                }
            )
        tick(min(row + world.size, len(split)), len(split), "test pictures")
    return [one for part in on_all(found, world) for one in part], sum(on_all(broken, world), Counter())


def precision(detections: list[dict[str, Any]], split: Split, objects: Objects) -> dict[str, Precision]:
    """By "box" and "mask". With no detection at all it is 0."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        truth = _as_coco(split, objects)
        return {"box": _precision(truth, detections, "bbox"), "mask": _precision(truth, detections, "segm")}


def _precision(truth: Any, detections: list[dict[str, Any]], kind: str) -> Precision:  # noqa: ANN401  (untyped package)
    from pycocotools.cocoeval import COCOeval

    num_classes = len(truth.dataset["categories"])
    there_K = np.bincount(
        [one["category_id"] for one in truth.dataset["annotations"] if not one["iscrowd"]], minlength=num_classes
    )
    if not detections:
        return Precision(ap=0.0, ap50=0.0, per_class=np.where(there_K > 0, 0.0, np.nan))
    judged = COCOeval(truth, truth.loadRes([dict(one) for one in detections]), kind)  # it writes into them
    judged.evaluate()
    judged.accumulate()
    # Overlaps x recalls x classes, of all sizes, with as many detections as COCO allows; -1 without objects.
    precision_TRK = judged.eval["precision"][:, :, :, 0, -1]
    known_TRK = np.where(precision_TRK < 0, np.nan, precision_TRK)
    per_class = np.full(num_classes, np.nan)
    per_class[there_K > 0] = known_TRK[:, :, there_K > 0].mean((0, 1))
    return Precision(ap=float(np.nanmean(known_TRK)), ap50=float(np.nanmean(known_TRK[0])), per_class=per_class)


def _as_coco(split: Split, objects: Objects) -> Any:  # noqa: ANN401
    from pycocotools.coco import COCO

    coco = COCO()
    rows = [(row, one) for row, those in enumerate(objects.by_picture) for one in those]
    coco.dataset = {
        "images": [{"id": row, "height": height, "width": width} for row, (height, width) in enumerate(objects.sizes)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(split.classes)],
        "annotations": [
            {
                "id": number,
                "image_id": row,
                "category_id": one.class_id,
                "bbox": [one.box[0], one.box[1], one.box[2] - one.box[0], one.box[3] - one.box[1]],
                "area": one.area,
                "iscrowd": int(one.crowd),
                "segmentation": msgspec.json.decode(one.segmentation),
            }
            for number, (row, one) in enumerate(rows, 1)
        ],
    }
    coco.createIndex()
    return coco
