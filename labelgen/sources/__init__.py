"""Where captions come from. One module a format: `looks_like` (first bytes → is it this one), `plan` (file → input
shards), `read` (shard → samples). A new format is such a module, and a line in FORMATS."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from labelgen.sources import coco, csv, folder, jsonl, parquet, tar, text, tsv, txt
from labelgen.sources.fields import Fields, option_of
from labelgen.sources.identity import guarded, refuse_changed
from labelgen.sources.sample import Found, InputShard, SourceError
from labelgen.sources.uris import expand, file_of

_TABLE = frozenset({"caption_keys", "key_column", "image_column", "image_root"})


class Format(NamedTuple):
    """One format: how its files are named, which of the `Fields` it heeds, and what reads it."""

    suffixes: tuple[str, ...]
    heeds: frozenset[str]
    looks_like: Callable[[bytes], bool]
    plan: Callable[[str, Fields], list[InputShard]]
    read: Callable[[InputShard, Fields], Found]


# In the order in which unknown content is tried: the surest marks first.
FORMATS = {
    "tar": Format((".tar",), tar.HEEDS, tar.looks_like, tar.plan, guarded(tar.read)),
    "parquet": Format((".parquet",), _TABLE, parquet.looks_like, parquet.plan, guarded(parquet.read)),
    "coco": Format((".json",), frozenset({"image_root"}), coco.looks_like, coco.plan, guarded(coco.read)),
    "jsonl": Format(text.suffixes(".jsonl", ".ndjson"), _TABLE, jsonl.looks_like, jsonl.plan, guarded(jsonl.read)),
    "tsv": Format(text.suffixes(".tsv"), _TABLE, tsv.looks_like, tsv.plan, guarded(tsv.read)),
    "csv": Format(text.suffixes(".csv"), _TABLE, csv.looks_like, csv.plan, guarded(csv.read)),
    "txt": Format(text.suffixes(".txt"), frozenset(), txt.looks_like, txt.plan, guarded(txt.read)),
    "folder": Format(("/",), frozenset({"caption_keys"}), folder.looks_like, folder.plan, folder.read),
}


def plan(sources: Sequence[str], fields: Fields) -> list[InputShard]:
    """All input shards of `sources`, under names that are unique among them. Raises SourceError like `scan`."""
    return named(scan(sources, fields))


def scan(sources: Sequence[str], fields: Fields) -> list[InputShard]:
    """All input shards of `sources` (paths or URIs, with `{00000..00331}` ranges and globs), in order, each once.

    Raises SourceError if a pattern matches nothing, a file is of no known format, or `fields` has what the format does
    not heed. A file that cannot be read is a shard too: reading it fails, and the others go on.
    """
    uris = dict.fromkeys(uri for source in sources for uri in expand(source))
    return [shard for uri in uris for shard in scan_file(uri, fields)]


def scan_file(uri: str, fields: Fields) -> list[InputShard]:
    """The shards of one file or folder; `{stem}` in their names stands for the file's."""
    name = format_of(uri, fields)
    if unheeded := [field for field in fields.chosen() if field not in FORMATS[name].heeds]:
        raise SourceError(f"{uri} is read as {name}, which has no use for {option_of(unheeded[0])}. Leave it out.")
    return FORMATS[name].plan(uri, fields)


def read(shard: InputShard, fields: Fields) -> Found:
    """The samples of one shard, in order, and captions that belong to none.

    Raises SourceError (unreadable, not the file that was planned, or not what its name says) or SourceDamageError
    (breaks off here).
    """
    if fields.format is None and shard.format != "folder":
        refuse_changed(shard.uri, shard.identity)
        head = text.first_bytes(shard.uri)
        if not FORMATS[shard.format].looks_like(head) and (other := _recognise(head)):
            raise SourceError(
                f"{shard.uri} is named like {shard.format} and reads like {other}. Say which it is with --input-format."
            )
    yield from FORMATS[shard.format].read(shard, fields)


def named(shards: Sequence[InputShard]) -> list[InputShard]:
    """The shards under names that all differ: the file's stem, with as many parent folders as that takes.

    Raises SourceError if that cannot be.
    """
    names: list[str] = []
    for depth in range(1, 1 + max([1, *(shard.uri.count("/") for shard in shards)])):
        names = [shard.name.replace("{stem}", _stem(shard.uri, depth)) for shard in shards]
        if len(set(names)) == len(names):
            return [shard.renamed(name) for shard, name in zip(shards, names, strict=True)]
    same = [shard.uri for shard, name in zip(shards, names, strict=True) if names.count(name) > 1]
    raise SourceError(f"{same[0]} and {same[1]} would get label shards of one name. Rename one of the two.")


def format_of(uri: str, fields: Fields) -> str:
    """The format's name: the one asked for, else by the file's name, else by its first bytes. Raises SourceError."""
    if fields.format is not None:
        if fields.format not in FORMATS:
            raise SourceError(f"No format is called {fields.format!r}. Known: {', '.join(FORMATS)}.")
        if uri.endswith("/") != (fields.format == "folder"):
            raise SourceError(
                f"{uri} is {'a' if uri.endswith('/') else 'no'} folder. Name what --input-format asks for."
            )
        return fields.format
    file = file_of(uri).lower()
    for name, known in FORMATS.items():
        if file.endswith(known.suffixes):
            return name
    if file.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")):
        raise SourceError(
            f"{uri} is compressed, so no image in it can be reached by its offset. Unpack it to a plain .tar."
        )
    if found := _recognise(text.first_bytes(uri)):
        return found
    suffixes = ", ".join(known.suffixes[0] for known in FORMATS.values() if known.suffixes != ("/",))
    raise SourceError(f"{uri} is of no known format. Known: {suffixes}; or say what it is with --input-format.")


def _recognise(head: bytes) -> str | None:
    return next((name for name, known in FORMATS.items() if known.looks_like(head)), None)


def _stem(uri: str, depth: int) -> str:
    """The file's name without its ending, preceded by its folders, `depth` parts in all, joined by `-`."""
    path = file_of(uri).split("://")[-1]
    if not path.endswith("/"):
        path = path.removesuffix(text.compression_of(path)).rsplit(".", 1)[0]
    parts = path.rstrip("/").split("/")
    return "-".join(part for part in parts[-depth:] if part)
