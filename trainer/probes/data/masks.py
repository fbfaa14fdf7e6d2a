"""Pictures with a mask each, which says the class of every pixel: folders images/ and masks/, or ADE20K's.

Shapes: H x W pixels, K classes.
"""

import io
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from labelshards.errors import CatlipError
from trainer import workers
from trainer.distributed import default_device
from trainer.probes.data.folder import SUFFIXES, PictureFiles
from trainer.probes.data.split import Split
from trainer.transforms import MAX_PIXELS, BrokenImageError

IMAGES, MASKS = "images", "masks"
IGNORED = 255  # a pixel that has no class
NO_CLASS = "a mask in which values are no class (those pixels)"
_NAMES = "classes.txt"
_ADE20K_NAMES = "objectInfo150.txt"
_MASK_SUFFIX = ".png"
_NUM_VALUES = 256

# report(done, total, what)
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class Masks:
    """A mask for each picture of a split. names: class by value. pixels_V: int64 [256], how many have each value."""

    files: PictureFiles
    names: dict[int, str]
    pixels_V: np.ndarray

    def lookup(self, classes: tuple[str, ...]) -> np.ndarray:
        """uint8 [256]: the class id of each value, IGNORED where it is no class."""
        ids = {name: class_id for class_id, name in enumerate(classes)}
        table_V = np.full(_NUM_VALUES, IGNORED, np.uint8)
        for value, name in self.names.items():
            table_V[value] = ids.get(name, IGNORED)
        return table_V

    def read(self, number: int) -> np.ndarray:
        """uint8 [H, W]: the values of a mask. Raises BrokenImageError."""
        return _values(self.files.read(number))


def open_masks(images: Path, masks: Path, root: Path, report: Report, ignored: int = IGNORED) -> Split:
    """The pictures of a folder that have a mask of the same name (.png) in another one; every mask is looked at.

    A mask's pixels are numbers of classes; 255 and `ignored` are none. Names are those of classes.txt in `root` (line
    by line from 0) or of ADE20K's objectInfo150.txt (from 1); without them the numbers that occur are the classes.
    skipped: pictures whose mask is missing, cannot be read, or is of another size, and masks with other values. Raises
    CatlipError if there is no picture.
    """
    paths = sorted(path.relative_to(images) for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CatlipError(
            f"{images} has no pictures. It should hold them, and masks/ a mask of the same name for each."
        )
    names = _read_names(root)
    pairs = _Pairs(images=images, masks=masks, paths=tuple(paths))
    skipped: Counter[str] = Counter()
    kept, counts = [], []
    looked_at = workers.parallel(pairs, range(len(paths)), default_device())
    for done, (reason, counts_V) in enumerate(looked_at, 1):
        if reason:
            skipped[reason] += 1
        else:
            kept.append(paths[done - 1])  # results come in the order of the numbers
            counts.append(counts_V)
        report(done, len(paths), f"masks of {masks.parent.name}")
    counts_NV = np.array(counts, np.int64).reshape(-1, _NUM_VALUES)
    counts_NV[:, [IGNORED, ignored]] = 0
    if names is None:
        names = {value: str(value) for value in np.flatnonzero(counts_NV.sum(0)).tolist()}
    strange = np.setdiff1d(np.arange(_NUM_VALUES), list(names))
    if num_strange := int((counts_NV[:, strange].sum(1) > 0).sum()):
        skipped[NO_CLASS] = num_strange
    # A class's id is its place among the names, not its value.
    labels = [np.array([i for i, value in enumerate(names) if row_V[value]], np.int64) for row_V in counts_NV]
    files = PictureFiles(root=masks, paths=tuple(path.with_suffix(_MASK_SUFFIX) for path in kept))
    split = Split.of_many(PictureFiles(root=images, paths=tuple(kept)), tuple(names.values()), labels, skipped)
    return replace(split, masks=Masks(files=files, names=names, pixels_V=counts_NV.sum(0)))


def _read_names(root: Path) -> dict[int, str] | None:
    if (root / _NAMES).is_file():
        named = enumerate(_lines(root / _NAMES))
        return {value: line.strip() for value, line in named if line.strip() and value < _NUM_VALUES}
    if (root / _ADE20K_NAMES).is_file():
        rows = [line.split("\t") for line in _lines(root / _ADE20K_NAMES)[1:]]
        numbers = {str(value): value for value in range(_NUM_VALUES)}
        return {numbers[row[0].strip()]: row[-1].strip() for row in rows if row[0].strip() in numbers}
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CatlipError(f"{path} is not UTF-8 ({error}). Save it as UTF-8.") from error


@dataclass(frozen=True, kw_only=True)
class _Pairs(Dataset[tuple[str | None, np.ndarray]]):
    """Number → (why the pair cannot be used, or None; how many pixels of its mask have each value, int64 [256])."""

    images: Path
    masks: Path
    paths: tuple[Path, ...]

    def __getitem__(self, number: int) -> tuple[str | None, np.ndarray]:
        path = self.paths[number]
        none_V = np.zeros(_NUM_VALUES, np.int64)
        try:
            with warnings.catch_warnings(), Image.open(self.images / path) as image:
                warnings.simplefilter("ignore")
                size = (image.height, image.width)
        except Exception:  # decoders raise a dozen types on damaged bytes
            return "a picture of no known format", none_V
        try:
            values_HW = _values((self.masks / path.with_suffix(_MASK_SUFFIX)).read_bytes())
        except FileNotFoundError:
            return "a picture without a mask", none_V
        except BrokenImageError as error:
            return f"a mask that is {error.reason}", none_V
        if values_HW.shape != size:
            return "a mask of another size", none_V
        return None, np.bincount(values_HW.ravel(), minlength=_NUM_VALUES)


def _values(data: bytes) -> np.ndarray:
    """uint8 [H, W]: grey levels, or palette numbers as they stand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as mask:
                if mask.width * mask.height > MAX_PIXELS:
                    raise BrokenImageError("a mask has as many pixels as a picture may have", "too large")
                if mask.mode not in ("L", "P"):
                    raise BrokenImageError("a mask has one number a pixel", f"{mask.mode}, not grey or palette")
                return np.array(mask)
    except BrokenImageError:  # it says already what is wrong
        raise
    except Exception as error:  # decoders raise a dozen types on damaged bytes
        raise BrokenImageError(f"not a readable mask: {error}", "damaged") from error
