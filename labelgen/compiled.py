"""What takes seconds to make and depends on language data alone, kept as a file in the cache folder.

One that is missing, stale, broken or cannot be written costs time, and nothing else.
"""

import contextlib
from collections.abc import Callable, Mapping

import pyarrow as pa

from labelgen import language_data, packed
from labelshards import storage


def compiled(name: str, key: str, make: Callable[[], Mapping[str, pa.Array]]) -> Mapping[str, pa.Array]:
    """Arrays by name: those of the cached file, or new ones from `make`. `key`: all that decides."""
    file = language_data.cache_folder() / "compiled" / f"{name}-{key}.arrow"
    with contextlib.suppress(OSError):
        kept = packed.from_bytes(file.read_bytes(), key)
        if kept is not None:
            return kept
    made = make()
    with contextlib.suppress(OSError):
        storage.write_bytes(str(file), packed.to_bytes(made, key))
    return made
