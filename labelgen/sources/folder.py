"""A folder of pictures, at any depth, with the captions beside each: `dog.jpg`, `dog.txt` or `dog.json`."""

import os
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import groupby

import msgspec

from labelgen.sources import pictures
from labelgen.sources.fields import Fields
from labelgen.sources.identity import identity_and_size
from labelgen.sources.record import MAX_BESIDE_BYTES, captions_beside
from labelgen.sources.rows import ROWS_PER_SHARD, part_name
from labelgen.sources.sample import Found, Image, InputShard, Leftover, Problem, Sample, SourceError
from labelgen.sources.uris import below, refuse_unprintable
from labelshards import storage

_CAPTION_SUFFIXES = frozenset({"txt", "json"})


def looks_like(_head: bytes) -> bool:
    """False: a folder has no bytes of its own."""
    return False


def plan(uri: str, _fields: Fields) -> list[InputShard]:
    """Shards of 10,000 pictures, in the order of their keys. Raises SourceError if there is none."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in _listing(uri):
        if _suffix(path) in pictures.IMAGE_SUFFIXES | _CAPTION_SUFFIXES:
            refuse_unprintable(path)
            files[_key(path)].append(path)
    if not any(_suffix(path) in pictures.IMAGE_SUFFIXES for paths in files.values() for path in paths):
        raise SourceError(f"{uri} is a folder without pictures. Name its files, for example '{below(uri, '*.tar')}'.")
    keys = sorted(files)
    parts = [keys[first : first + ROWS_PER_SHARD] for first in range(0, len(keys), ROWS_PER_SHARD)]
    shards = []
    for number, part in enumerate(parts):
        members = tuple(path for key in part for path in sorted(files[key]))
        identity, size = _look_at(uri, members)
        shards.append(
            InputShard(
                name=part_name(number, len(parts)),
                uri=uri,
                format="folder",
                identity=identity,
                size=size,
                members=members,
            )
        )
    return shards


def read(shard: InputShard, fields: Fields) -> Found:
    """One sample a picture; the key is its path in the folder without the suffix.

    Captions as `captions_beside` says. Raises SourceError if a file is not what it was while planning.
    """
    _refuse_changed(shard)
    alone = 0
    for key, group in groupby(shard.members, _key):
        paths = list(group)
        images = [path for path in paths if _suffix(path) in pictures.IMAGE_SUFFIXES]
        beside = {_suffix(path): path for path in paths if path not in images}
        alone += 0 if images else len(beside)
        for number, path in enumerate(images):
            problems = [Problem.DUPLICATE_KEY] if number else []
            captions = _captions(shard.uri, beside, fields.caption_keys, problems)
            yield Sample(key, captions, _image(shard.uri, path, problems), tuple(problems))
    if alone:
        yield Leftover(Problem.CAPTION_FILE_ALONE, alone)
    _refuse_changed(shard)


def _captions(
    uri: str, beside: dict[str, str], caption_keys: Sequence[str], problems: list[Problem]
) -> tuple[str, ...]:
    json_bytes, text_bytes = (
        partial(_bytes, below(uri, beside[suffix])) if suffix in beside else None for suffix in ("json", "txt")
    )
    return captions_beside(json_bytes, text_bytes, caption_keys, problems)


def _image(uri: str, path: str, problems: list[Problem]) -> Image | None:
    where = below(uri, path)
    identity, size = identity_and_size(where)
    if not identity:  # a link to nothing
        problems.append(Problem.MISSING_IMAGE)
        return None
    return pictures.whole_file(where, size, problems)


def _bytes(uri: str) -> bytes:
    try:
        with storage.opened(uri) as file:
            return file.read(MAX_BESIDE_BYTES)
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error


def _listing(uri: str) -> list[str]:
    """Paths of all files below the folder, relative to it; hidden files and folders are left out."""
    fs, root = storage.filesystem(uri)
    if storage.is_local(uri):
        # By itself os.walk passes over what it may not read.
        paths = [f"{folder}/{name}" for folder, _, names in os.walk(root, onerror=_refuse) for name in names]
    else:
        paths = [str(path) for path in fs.find(root)]
    relative = [path.removeprefix(root).lstrip("/") for path in paths]
    return [path for path in relative if not path.startswith(".") and "/." not in path]


def _refuse(error: OSError) -> None:
    raise SourceError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _look_at(uri: str, members: Sequence[str]) -> tuple[str, int]:
    """(identity, bytes) of all the files together."""
    found = [identity_and_size(below(uri, member)) for member in members]
    identities = list(zip(members, (identity for identity, _ in found), strict=True))
    return storage.digest(msgspec.json.encode(identities)), sum(size for _, size in found)


def _refuse_changed(shard: InputShard) -> None:
    if _look_at(shard.uri, shard.members)[0] != shard.identity:
        raise SourceError(f"{shard.uri} changed while it was read. Run the same build again when it is whole.")


def _key(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.rpartition(".")[0]


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()
