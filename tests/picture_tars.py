"""Tars of small coloured pictures, to go over."""

import io
import tarfile
from pathlib import Path

from tests.labelset_factory import COLOURS, picture


def write_tars(folder: Path, num_tars: int, num_pictures: int) -> Path:
    """`num_tars` tars with so many pictures each, of all COLOURS in turn; returns the folder."""
    folder.mkdir(parents=True)
    pictures = [picture(colour, size=(12, 10)) for colour in COLOURS]
    for tar in range(num_tars):
        with tarfile.open(folder / f"{tar:05d}.tar", "w") as archive:
            for number in range(num_pictures):
                member = tarfile.TarInfo(f"{tar:03d}{number:04d}.jpg")
                member.size = len(pictures[number % len(pictures)])
                archive.addfile(member, io.BytesIO(pictures[number % len(pictures)]))
    return folder
