"""img2dataset and WebDataset tars: `key.jpg`, `key.txt`, `key.json`, members of one sample side by side."""

import tarfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import IO, Any

import msgspec

from labelgen.sources.identity import identity_and_size
from labelgen.sources.sample import InputShard, Problem, Sample, SourceDamageError, SourceError
from labelshards import storage
from labelshards.images import ImageFile, ImageRef, member_key

IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})


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
    members = _members(file, shard)
    for key, group in groupby(members, key=lambda member: member_key(member.name)[0]):
        for parts in _one_sample_each(group):
            yield _sample(file, key, parts, caption_keys, repeated=key in seen)
            seen.add(key)


def _members(file: IO[bytes], shard: InputShard) -> Iterator[tarfile.TarInfo]:
    """Regular files that lie wholly inside the tar."""
    if shard.size == 0:
        raise SourceError(f"{shard.uri} is empty (0 bytes).")
    last = "its start"
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw
                if member.offset_data + member.size > shard.size:
                    raise SourceDamageError(f"{shard.uri} is cut off inside {member.name!r}.")
                last = repr(member.name)
                if member.isreg():
                    yield member
    except tarfile.ReadError as error:
        if last == "its start":
            raise SourceError(f"{shard.uri} is not a tar ({error}).") from error
        raise SourceDamageError(f"{shard.uri} is broken after {last} ({error}).") from error


def _one_sample_each(group: Iterator[tarfile.TarInfo]) -> Iterator[dict[str, tarfile.TarInfo]]:
    """Members of one key, by suffix; a suffix that comes again begins another sample of the same key."""
    parts: dict[str, tarfile.TarInfo] = {}
    for member in group:
        suffix = member_key(member.name)[1]
        if suffix in parts:
            yield parts
            parts = {}
        parts[suffix] = member
    if parts:
        yield parts


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
            return ()
    found = found or _strings(record.get("caption"))
    if not found:
        problems.append(Problem.MISSING_CAPTION)
    return tuple(found)


def _json(file: IO[bytes], member: tarfile.TarInfo, problems: list[Problem]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_bytes(file, member), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
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
