"""Where captions come from. One module a format, with `plan` (file → input shards) and `read` (shard → samples)."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from braceexpand import braceexpand

from labelgen.sources import tar, tsv
from labelgen.sources.sample import InputShard, Sample, SourceError
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
    SourceError if a pattern matches nothing or a file is of no known format.
    """
    uris = list(dict.fromkeys(uri for source in sources for uri in _expand(source)))
    names = _unique_names(uris)
    shards: list[InputShard] = []
    for uri in uris:
        shards += [shard.renamed(shard.name.format(stem=names[uri])) for shard in FORMATS[format_of(uri)].plan(uri)]
    return shards


def read(shard: InputShard, caption_keys: Sequence[str]) -> Iterator[Sample]:
    """The samples of one shard, in order. Raises SourceError (unreadable) or SourceDamageError (breaks off here)."""
    return FORMATS[shard.format].read(shard, caption_keys)


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
        found = sorted(fs.glob(path)) if any(mark in path for mark in "*?[") else [path] if fs.exists(path) else []
        if not found:
            raise SourceError(f"No file matches {pattern!r}" + (f" (from {source!r})." if len(patterns) > 1 else "."))
        uris += [storage.absolute(str(fs.unstrip_protocol(match))) for match in found]
    return uris


def _unique_names(uris: Sequence[str]) -> dict[str, str]:
    """Each URI → its stem, preceded by as many of its folders (joined by `-`) as make all names differ."""
    parts = {uri: [*uri.split("://")[-1].split("/")[:-1], uri.rsplit("/", 1)[-1].rsplit(".", 1)[0]] for uri in uris}
    depth = 1
    while len({"-".join(path[-depth:]) for path in parts.values()}) < len(uris) and depth < 99:
        depth += 1
    return {uri: "-".join(path[-depth:]).lstrip("-") for uri, path in parts.items()}
