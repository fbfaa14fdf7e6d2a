"""COCO captions JSON: `images` and `annotations`; all captions of an image are one sample."""

import json
from collections import defaultdict
from typing import Any

import msgspec

from labelgen.sources import pictures
from labelgen.sources.fields import Fields
from labelgen.sources.record import captions_in, decode_object, text_of
from labelgen.sources.rows import plan_row_ranges
from labelgen.sources.sample import Found, InputShard, Leftover, Problem, Sample, SourceError
from labelshards import storage


class _Image(msgspec.Struct):
    id: int | str
    file_name: Any = None


class _Annotation(msgspec.Struct):
    image_id: int | str
    caption: Any = None


class _Coco(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]


def looks_like(head: bytes) -> bool:
    """True for the start of a JSON object that soon names its images or annotations, and is not one of several."""
    first, _, rest = head.partition(b"\n")
    is_one_of_several = bool(rest.strip()) and decode_object(first) is not None
    names_them = b'"images"' in head or b'"annotations"' in head
    return head.lstrip().startswith(b"{") and names_them and not is_one_of_several


def plan(uri: str, _fields: Fields) -> list[InputShard]:
    """Shards of 10,000 images. The file is parsed here, and again for each shard, much faster than its captions are."""
    return plan_row_ranges(uri, "coco", lambda uri: len(_load(uri).images))


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample an image, in the order of `images`; the key is the image's id as it stands there.

    `file_name` is looked up under `image_root`; without one there are no images.
    """
    coco = _load(shard.uri)
    if not coco.images:
        raise SourceError(f"{shard.uri} lists no image.")
    captions = defaultdict(list)
    for annotation in coco.annotations:
        captions[annotation.image_id].append(annotation.caption)
    if coco.annotations and not any(isinstance(annotation.caption, str) for annotation in coco.annotations):
        raise SourceError(f"{shard.uri} has annotations without captions. COCO keeps them in captions_*.json.")
    seen = {image.id for image in coco.images[: shard.first_row]}
    images = coco.images[shard.first_row : shard.first_row + shard.num_rows]
    for number, image in enumerate(images, shard.first_row):
        problems = [Problem.DUPLICATE_KEY] if image.id in seen else []
        seen.add(image.id)
        texts = captions_in(captions.get(image.id, ()), problems)
        picture = None
        if fields.image_root:
            picture = pictures.find(text_of(image.file_name), fields.image_root, problems)
        key = text_of(str(image.id))
        if not key:
            problems.append(Problem.MISSING_KEY)
        yield Sample(key or f"{number:09d}", texts, picture, tuple(problems))
    if shard.first_row == 0:  # once a file
        listed = {image.id for image in coco.images}
        if alone := sum(annotation.image_id not in listed for annotation in coco.annotations):
            yield Leftover(Problem.CAPTION_OF_NO_IMAGE, alone)


def _load(uri: str) -> _Coco:
    """The whole file. Raises SourceError, which says where it is not as it should be."""
    try:
        data = storage.read_bytes(uri)
        try:
            return msgspec.json.decode(data, type=_Coco)
        except msgspec.ValidationError:  # JSON that is no COCO, which no other reader makes one
            raise
        except msgspec.DecodeError:
            return msgspec.convert(json.loads(data), _Coco)  # slow, and lenient: NaN and half surrogates pass
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{uri} is not COCO captions ({error}).") from error
