"""All readers by name, imported by rooms, so that what reads captions is attacked without torch."""

from importlib import import_module

from tests.attack.reader import Reader

ROOMS = ("source_files", "label_files", "decisions", "models", "probe_data")


def all_readers(*rooms: str) -> dict[str, Reader]:
    """The readers of some rooms, or of all."""
    found = [reader for room in rooms or ROOMS for reader in import_module(f"tests.attack.{room}").READERS]
    return {reader.name: reader for reader in found}
