"""img2dataset and WebDataset tars: `key.jpg`, `key.txt`, `key.json`, members of one sample side by side.

The captions may also stand in a Parquet beside the tar (`00000.parquet`), joined by key.
"""

import tarfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

from labelgen.sources.fields import Fields
from labelgen.sources.identity import identity_and_size
from labelgen.sources.pictures import IMAGE_SUFFIXES, size_problem
from labelgen.sources.record import MAX_BESIDE_BYTES, captions_beside
from labelgen.sources.sample import Found, Image, InputShard, Problem, Sample, SourceDamageError, SourceError
from labelgen.sources.side import SideCaptions, column_of, side_of
from labelgen.sources.tar_member import Member
from labelshards import storage
from labelshards.images import ImageFile, member_key
from labelshards.tars import TAR_BLOCK_BYTES, TAR_ENCODING, TAR_ERRORS

HEEDS = frozenset({"caption_keys", "captions_from", "key_column"})


def looks_like(head: bytes) -> bool:
    """True for POSIX and GNU tars; older ones have no mark."""
    return head[257:262] == b"ustar"


def plan(uri: str, fields: Fields) -> list[InputShard]:
    """One tar is one shard. Raises SourceError for choices that a tar cannot heed."""
    if fields.key_column and not fields.captions_from:
        raise SourceError("A tar's keys are the names of its members. --key-column goes with --captions-from.")
    if fields.caption_keys and fields.captions_from:
        raise SourceError("Captions come from inside a tar (--caption-key) or beside it (--captions-from), not both.")
    identity, size = identity_and_size(uri)
    beside: tuple[tuple[str, str], ...] = ()
    if fields.captions_from:
        column_of(fields)
        beside = ((side_of(uri), identity_and_size(side_of(uri))[0]),)
    return [InputShard(name="{stem}", uri=uri, format="tar", identity=identity, size=size, beside=beside)]


def read(shard: InputShard, fields: Fields) -> Found:
    """Samples in the tar's order.

    Captions: from the Parquet beside the tar if that is asked for, else from the members as `captions_beside` says.
    Only headers and captions are read, images are skipped over. Raises SourceError and SourceDamageError.
    """
    side = SideCaptions.read(shard.uri, fields) if fields.captions_from else None
    try:
        with storage.opened(shard.uri) as file:
            yield from _samples(file, shard, fields.caption_keys, side)
    except OSError as error:
        raise SourceError(f"{shard.uri} cannot be read: {error.strerror or error}.") from error
    if side is not None:
        yield from side.leftovers()


def _samples(
    file: IO[bytes], shard: InputShard, caption_keys: Sequence[str], side: SideCaptions | None
) -> Iterator[Sample]:
    tar = ImageFile(uri=shard.uri, bytes=shard.size)
    seen: set[str] = set()
    for key, parts in _side_by_side(_members(file, shard)):
        yield _sample(file, tar, key, parts, caption_keys, side, repeated=key in seen)
        seen.add(key)


def _members(file: IO[bytes], shard: InputShard) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    """(key, suffix, member) of the parts of samples that lie wholly inside the tar."""
    if shard.size == 0:
        raise SourceError(f"{shard.uri} is empty (0 bytes).")
    last = "its start"
    try:
        # "r:" takes no compressed tar, in which offsets would not be those of the file.
        with tarfile.open(fileobj=file, mode="r:", encoding=TAR_ENCODING, errors=TAR_ERRORS, tarinfo=Member) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw
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
    file: IO[bytes],
    tar: ImageFile,
    key: str,
    parts: dict[str, tarfile.TarInfo],
    caption_keys: Sequence[str],
    side: SideCaptions | None,
    *,
    repeated: bool,
) -> Sample:
    problems = [Problem.DUPLICATE_KEY] if repeated else []
    if side is not None:
        captions = side.take(key, problems)
    else:
        json_bytes, text_bytes = (
            partial(_bytes, file, parts[suffix]) if suffix in parts else None for suffix in ("json", "txt")
        )
        captions = captions_beside(json_bytes, text_bytes, caption_keys, problems)
    picture = next((parts[suffix] for suffix in parts if suffix in IMAGE_SUFFIXES), None)
    image = None
    if picture is None:
        problems.append(Problem.MISSING_IMAGE)
    elif problem := size_problem(picture.size):
        problems.append(problem)
    else:
        image = Image(tar, picture.offset_data, picture.size)
    return Sample(key, captions, image, tuple(problems))


def _bytes(file: IO[bytes], member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(min(member.size, MAX_BESIDE_BYTES))
