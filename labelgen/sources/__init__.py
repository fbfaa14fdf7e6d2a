"""Where captions come from. One module a format, with `plan` (file → input shards) and `read` (shard → samples)."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from braceexpand import braceexpand

from labelgen.sources import tar, tsv
from labelgen.sources.identity import refuse_changed
from labelgen.sources.sample import InputShard, Sample, SourceDamageError, SourceError
from labelshards import storage


class Format(NamedTuple):
    """One format of input files, recognised by the end of its name."""

    suffixes: tuple[str, ...]
    plan: Callable[[str], list[InputShard]]
    read: Callable[[InputShard, Sequence[str]], Iterator[Sample]]


FORMATS = {
    "tar": Format((".tar",), tar.plan, tar.read),
    "tsv": Format((".tsv",), tsv.plan, tsv.read),
}


def plan(sources: Sequence[str]) -> list[InputShard]:
    """All input shards of `sources` (paths or URIs, with `{00000..00331}` ranges and globs), in order, each once.

    Shards get names that are unique among them: the file's stem, with as many parent folders as that takes. Raises
    SourceError if a pattern matches nothing or a file is of no known format. A file that cannot be read is a shard
    too: reading it fails, and the others go on.
    """
    uris = list(dict.fromkeys(uri for source in sources for uri in _expand(source)))
    return _named([shard for uri in uris for shard in FORMATS[format_of(uri)].plan(uri)])


def read(shard: InputShard, caption_keys: Sequence[str]) -> Iterator[Sample]:
    """The samples of one shard, in order.

    Raises SourceError (unreadable, or not the file that was planned) or SourceDamageError (breaks off here).
    """
    refuse_changed(shard.uri, shard.identity)
    try:
        yield from FORMATS[shard.format].read(shard, caption_keys)
    except SourceDamageError:
        refuse_changed(shard.uri, shard.identity)
        raise
    refuse_changed(shard.uri, shard.identity)


def format_of(uri: str) -> str:
    """The format's name. Raises SourceError that lists the known ones."""
    for name, known in FORMATS.items():
        if uri.lower().endswith(known.suffixes):
            return name
    suffixes = ", ".join(suffix for known in FORMATS.values() for suffix in known.suffixes)
    if uri.lower().endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")):
        raise SourceError(
            f"{uri} is compressed, so no image in it can be reached by its offset. Unpack it to a plain .tar."
        )
    raise SourceError(f"{uri} is of no known format. Known: {suffixes}.")


def _expand(source: str) -> list[str]:
    try:
        patterns = list(braceexpand(source))
    except ValueError as error:
        raise SourceError(f"The braces in {source!r} are not balanced.") from error
    uris: list[str] = []
    for pattern in patterns:
        fs, path = storage.filesystem(pattern)
        if fs.isdir(path):
            raise SourceError(f"{pattern} is a folder. Name its files, for example '{pattern.rstrip('/')}/*.tar'.")
        found = [path] if fs.exists(path) else sorted(fs.glob(path)) if any(mark in path for mark in "*?[") else []
        if not found:
            raise SourceError(f"No file matches {pattern!r}" + (f" (from {source!r})." if len(patterns) > 1 else "."))
        uris += [storage.absolute(str(fs.unstrip_protocol(match))) for match in found]
    for uri in uris:
        if not uri.isprintable():
            raise SourceError(f"The name {uri!r} cannot be written down: it is not UTF-8, or has control characters.")
    return uris


def _named(shards: Sequence[InputShard]) -> list[InputShard]:
    """The shards under names that all differ. Raises SourceError if that cannot be."""
    for depth in range(1, 1 + max(shard.uri.count("/") for shard in shards)):
        names = [shard.name.format(stem=_stem(shard.uri, depth)) for shard in shards]
        if len(set(names)) == len(names):
            return [shard.renamed(name) for shard, name in zip(shards, names, strict=True)]
    same = [shard.uri for shard, name in zip(shards, names, strict=True) if names.count(name) > 1]
    raise SourceError(f"{same[0]} and {same[1]} would get label shards of one name. Rename one of the two.")


def _stem(uri: str, depth: int) -> str:
    """The file's name without its ending, preceded by its folders, `depth` parts in all, joined by `-`."""
    parts = uri.split("://")[-1].rsplit(".", 1)[0].split("/")
    return "-".join(part for part in parts[-depth:] if part)
