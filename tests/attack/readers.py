"""All readers by name, imported by rooms, so that what reads captions is attacked without torch."""

from functools import cache
from importlib import import_module

from tests.attack.reader import Reader

ROOMS = ("source_files", "label_files", "decisions", "models", "probe_data")


@cache
def all_readers(*rooms: str) -> dict[str, Reader]:
    """The readers of some rooms, or of all."""
    found = [reader for room in rooms or ROOMS for reader in import_module(f"tests.attack.{room}").READERS]
    return {reader.name: reader for reader in found}


def room_of(name: str) -> str:
    """The room that a reader stands in. Raises KeyError if there is none of that name."""
    for room in ROOMS:
        if name in all_readers(room):
            return room
    raise KeyError(name)
