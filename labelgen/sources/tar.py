"""img2dataset and WebDataset tars: `key.jpg`, `key.txt`, `key.json`, members of one sample side by side."""

import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import msgspec

from labelgen.sources.identity import identity_and_size
from labelgen.sources.sample import InputShard, Problem, Sample, SourceDamageError, SourceError
from labelshards import storage
from labelshards.images import TAR_BLOCK_BYTES, TAR_ENCODING, TAR_ERRORS, ImageFile, ImageRef, member_key

IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})
MAX_IMAGE_BYTES = 2**31 - 1  # the label shard counts them in an int32


def plan(uri: str) -> list[InputShard]:
    """One tar is one shard."""
    identity, size = identity_and_size(uri)
    files = (ImageFile(uri=uri, bytes=size),)
    return [InputShard(name="{stem}", uri=uri, format="tar", identity=identity, size=size, image_files=files)]


def read(shard: InputShard, caption_keys: Sequence[str]) -> Iterator[Sample]:
    """Samples in the tar's order.

    Captions: all strings under `caption_keys` in the JSON member; without those the `.txt` member; without that the
    JSON's `caption`. Only headers and captions are read, images are skipped over. Raises SourceError and
    SourceDamageError.
    """
    fs, path = storage.filesystem(shard.uri)
    try:
        with fs.open(path, "rb") as file:
            yield from _samples(file, shard, caption_keys)
    except OSError as error:
        raise SourceError(f"{shard.uri} cannot be read: {error.strerror or error}.") from error


def _samples(file: IO[bytes], shard: InputShard, caption_keys: Sequence[str]) -> Iterator[Sample]:
    seen: set[str] = set()
    for key, parts in _side_by_side(_members(file, shard)):
        yield _sample(file, key, parts, caption_keys, repeated=key in seen)
        seen.add(key)


def _members(file: IO[bytes], shard: InputShard) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    """(key, suffix, member) of the parts of samples that lie wholly inside the tar."""
    if shard.size == 0:
        raise SourceError(f"{shard.uri} is empty (0 bytes).")
    last = "its start"
    try:
        with tarfile.open(fileobj=file, mode="r:", encoding=TAR_ENCODING, errors=TAR_ERRORS) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw
                if member.size < 0:  # tarfile would go back, and never end
                    raise SourceDamageError(f"{shard.uri} is broken after {last} (a member of negative size).")
                if member.offset_data + member.size > shard.size:
                    raise SourceDamageError(f"{shard.uri} is cut off inside {member.name!r}.")
                last = repr(member.name)
                part = member_key(member.name)
                if part is not None and member.isreg() and not member.issparse():
                    yield *part, member
            # tarfile takes any block that is no header for the end.
            file.seek(archive.offset)
            if (block := file.read(TAR_BLOCK_BYTES)) != bytes(TAR_BLOCK_BYTES):
                how = "is broken" if len(block) == TAR_BLOCK_BYTES else "is cut off"
                raise SourceDamageError(f"{shard.uri} {how} after {last}: no end mark of a tar stands there.")
    except tarfile.ReadError as error:
        if last == "its start":
            raise SourceError(f"{shard.uri} is not a tar ({error}).") from error
        raise SourceDamageError(f"{shard.uri} is broken after {last} ({error}).") from error


def _side_by_side(
    members: Iterator[tuple[str, str, tarfile.TarInfo]],
) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """(key, suffix → member) of each sample; a suffix that comes again begins another sample of the same key.

    Where the tar breaks off, what was found of the last sample comes before the error.
    """
    key = ""
    parts: dict[str, tarfile.TarInfo] = {}
    damage = None
    try:
        for member_of, suffix, member in members:
            if parts and (member_of != key or suffix in parts):
                yield key, parts
                parts = {}
            key = member_of
            parts[suffix] = member
    except SourceDamageError as error:
        damage = error
    if parts:
        yield key, parts
    if damage:
        raise damage


def _sample(
    file: IO[bytes], key: str, parts: dict[str, tarfile.TarInfo], caption_keys: Sequence[str], *, repeated: bool
) -> Sample:
    problems = [Problem.DUPLICATE_KEY] if repeated else []
    captions = _captions(file, parts, caption_keys, problems)
    picture = next((parts[suffix] for suffix in parts if suffix in IMAGE_SUFFIXES), None)
    image = None
    if picture is None:
        problems.append(Problem.MISSING_IMAGE)
    elif picture.size == 0:
        problems.append(Problem.EMPTY_IMAGE)
    elif picture.size > MAX_IMAGE_BYTES:
        problems.append(Problem.HUGE_IMAGE)
    else:
        image = ImageRef(0, picture.offset_data, picture.size)
    return Sample(key, captions, image, tuple(problems))


def _captions(
    file: IO[bytes], parts: dict[str, tarfile.TarInfo], caption_keys: Sequence[str], problems: list[Problem]
) -> tuple[str, ...]:
    record = _json(file, parts["json"], problems) if "json" in parts else {}
    found = [text for key in caption_keys for text in _strings(record.get(key))]
    if not found and "txt" in parts:
        try:
            found = [_bytes(file, parts["txt"]).decode()]
        except UnicodeDecodeError:
            problems.append(Problem.CAPTION_NOT_UTF8)
    found = found or _strings(record.get("caption"))
    if not found and Problem.CAPTION_NOT_UTF8 not in problems:
        problems.append(Problem.MISSING_CAPTION)
    return tuple(found)


def _json(file: IO[bytes], member: tarfile.TarInfo, problems: list[Problem]) -> dict[str, Any]:
    data = _bytes(file, member)
    try:
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError:
            record = json.loads(data)  # slow, and lenient as those who write NaN and half surrogates are
            return record if isinstance(record, dict) else _broken(problems)
    except (ValueError, RecursionError):
        return _broken(problems)


def _broken(problems: list[Problem]) -> dict[str, Any]:
    problems.append(Problem.BROKEN_JSON)
    return {}


def _strings(value: object) -> list[str]:
    """A caption field's strings: one, a list of them, or nothing."""
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _bytes(file: IO[bytes], member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(member.size)
