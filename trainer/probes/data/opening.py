"""DATA as people name it → a training split and a test split, in whatever format it is."""

from pathlib import Path

from labelshards import schema
from labelshards.errors import CatlipError
from trainer.probes.data.coco import open_coco
from trainer.probes.data.folder import open_folder
from trainer.probes.data.labelset import open_label_set
from trainer.probes.data.masks import IMAGES, MASKS, Report, open_masks
from trainer.probes.data.split import KINDS, Split, check_pair, require
from trainer.probes.data.table import open_tables
from trainer.probes.data.tars import open_tars

_TRAIN = ("train",)
_TEST = ("test", "val", "validation")
_ADE20K = "annotations"


def open_splits(
    data: Path, test: Path | None = None, report: Report = lambda _done, _total, _what: None
) -> tuple[Split, Split]:
    """(train, test) of `data`, or of `data` and `test`. Raises CatlipError if they are missing or not usable.

    report(done, total, what): masks are all looked at, which may take minutes.
    """
    require(data)
    if test is not None:
        parts = [[data], [test]]
    else:
        parts = [_part(data, names) for names in (_TRAIN, _TEST)]
        if not all(parts):
            missing = "training" if not parts[0] else "test"
            raise CatlipError(f"{data} is no data for a probe: there is no {missing} split. It should hold {KINDS}.")
    train, held = (_open(part, report) for part in parts)
    return check_pair(train, held, str(data))


def _part(data: Path, names: tuple[str, ...]) -> list[Path]:
    """Where a split lies: a folder of one of these names, or files whose names begin so."""
    for name in names:
        if (data / name).is_dir():
            return [data / name]
        if (ade20k := data / _ADE20K / {"train": "training", "val": "validation"}.get(name, name)).is_dir():
            return [ade20k]
        for folder in (data, data / "data", data / "annotations"):
            for pattern in (f"{name}*.tar", f"{name}*.parquet", f"instances_{name}*.json", f"{name}*.json"):
                if found := sorted(folder.glob(pattern)):
                    return found
    return []


def _open(paths: list[Path], report: Report) -> Split:
    [first, *_] = paths
    if first.is_dir():
        # The surest marks first: any folder with folders in it could be one of classes.
        if (first / MASKS).is_dir():
            return open_masks(first / IMAGES, first / MASKS, first.parent, report)
        if first.parent.name == _ADE20K:
            root = first.parents[1]
            return open_masks(root / IMAGES / first.name, first, root, report, ignored=0)
        if (first / schema.MANIFEST_NAME).is_file():
            return open_label_set(str(first))
        for pattern in ("*.tar", "*.parquet", "instances*.json"):
            if found := sorted(first.glob(pattern)):
                return _open(found, report)
        return open_folder(first)
    require(first)
    if first.suffix == ".tar":
        return open_tars(paths)
    if first.suffix == ".parquet":
        return open_tables(paths)
    if first.suffix == ".json" and len(paths) == 1:
        return open_coco(first)
    raise CatlipError(f"{first} is no data for a probe. It should be {KINDS}.")
