"""What takes seconds to make and depends on language data alone, kept as a file in the cache folder.

The file is mapped into memory, so processes that use it share one copy of it. One that is missing, stale, broken or
cannot be written costs time, and nothing else.
"""

import contextlib
import mmap
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from labelgen.arrays import packed
from labelgen.cache import cache_folder
from labelgen.dictionary import wordnet
from labelgen.dictionary.wordnet import Folder
from labelshards import storage


def compiled(name: str, key: str | None, make: Callable[[], Mapping[str, pa.Array]]) -> Mapping[str, pa.Array]:
    """Arrays by name: those of the cached file, or new ones from `make`.

    `key`: all that decides; None if that cannot be told, and nothing is kept then.
    """
    if key is None:
        return make()
    file = cache_folder() / "compiled" / f"{name}-{key}.arrow"
    # An empty file cannot be mapped, which is a ValueError.
    with contextlib.suppress(OSError, ValueError), file.open("rb") as opened:
        kept = packed.from_bytes(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)), key)
        if kept is not None:
            return kept
    made = make()
    with contextlib.suppress(OSError):
        storage.write_bytes(str(file), packed.to_bytes(made, key, compression=None))
    return made


def key_of(folder: Folder, *modules: str, also: str = "") -> str | None:
    """The key of what these modules (by name, loaded) make of a WordNet: its files, their code, and `also`."""
    files = wordnet.identity(folder)
    code = [Path(str(sys.modules[name].__file__)).read_bytes() for name in modules]
    return None if files is None else storage.digest("\n".join([files, also, *map(storage.digest, code)]).encode())
