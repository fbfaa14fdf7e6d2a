"""`caption<TAB>url` lines, CC3M's own file. There are no image bytes, so such a label set has no images."""

from collections.abc import Iterator, Sequence

from labelgen.sources.identity import identity_and_size
from labelgen.sources.sample import InputShard, Problem, Sample, SourceError
from labelshards import storage

ROWS_PER_SHARD = 10_000
HEADER = b"caption\turl"


def plan(uri: str) -> list[InputShard]:
    """Shards of 10,000 lines. A first line that reads `caption<TAB>url` is a header, as img2dataset wants it."""
    identity, size = identity_and_size(uri)
    starts = _line_starts(uri) if size else [(0, 0)]
    ends = [start for start, _ in starts[1:]] + [size]
    return [
        InputShard(
            name="{stem}" if len(starts) == 1 else f"{{stem}}-{number:05d}",
            uri=uri,
            format="tsv",
            identity=identity,
            size=end - start,
            first_row=row,
            offset=start,
        )
        for number, ((start, row), end) in enumerate(zip(starts, ends, strict=True))
    ]


def read(shard: InputShard, caption_keys: Sequence[str]) -> Iterator[Sample]:
    """One sample a line; the key is the line's number, nine digits, as img2dataset counts."""
    fs, path = storage.filesystem(shard.uri)
    try:
        data: bytes = fs.cat_file(path, start=shard.offset, end=shard.offset + shard.size)
    except OSError as error:
        raise SourceError(f"{shard.uri} cannot be read: {error.strerror or error}.") from error
    if not data:
        raise SourceError(f"{shard.uri} has no line with a caption.")
    for row, line in enumerate(_lines(data)):
        key = f"{shard.first_row + row:09d}"
        try:
            caption = line.partition(b"\t")[0].decode()
        except UnicodeDecodeError:
            yield Sample(key, (), problems=(Problem.CAPTION_NOT_UTF8,))
            continue
        yield Sample(key, (caption,))


def _lines(data: bytes) -> list[bytes]:
    """Lines without their ends (LF or CRLF); no other character ends a line."""
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return lines[:-1] if lines[-1] == b"" else lines


def _line_starts(uri: str) -> list[tuple[int, int]]:
    """(byte offset, row number) where each shard begins; the start of the file where reading it fails."""
    fs, path = storage.filesystem(uri)
    starts: list[tuple[int, int]] = []
    position = 0
    row = 0
    try:
        with fs.open(path, "rb") as file:
            for line in file:
                if position == 0 and line.rstrip(b"\r\n") == HEADER:
                    position += len(line)
                    continue
                if row % ROWS_PER_SHARD == 0:
                    starts.append((position, row))
                position += len(line)
                row += 1
    except OSError:
        return [(0, 0)]  # whoever reads the shard meets the error again, and says it
    return starts or [(position, 0)]
