"""What a person types → the URIs of files and folders: brace ranges, globs, paths, and whatever fsspec opens."""

from braceexpand import braceexpand

from labelgen.sources.sample import SourceError
from labelshards import storage


def expand(source: str) -> list[str]:
    """URIs of what `source` names, in order; absolute, if they lie on this machine. Folders end in `/`.

    Raises SourceError if nothing is there.
    """
    try:
        patterns = list(braceexpand(source))
    except ValueError as error:
        raise SourceError(f"The braces in {source!r} are not balanced.") from error
    uris = [uri for pattern in patterns for uri in _matches(pattern, source)]
    for uri in uris:
        refuse_unprintable(uri)
    return uris


def file_of(uri: str) -> str:
    """The link of a chain that names the file: `a.csv` of `zip://a.csv::b.zip` and of `simplecache::s3://b/a.csv`."""
    first, _, outer = uri.partition("::")
    return outer if outer and "://" not in first else first


def refuse_unprintable(name: str) -> None:
    """Raise SourceError for names that cannot stand in a label set."""
    if not name.isprintable():
        raise SourceError(f"The name {name!r} cannot be written down: it is not UTF-8, or has control characters.")


def _matches(pattern: str, source: str) -> list[str]:
    try:
        fs, path = storage.filesystem(pattern)
    except (ValueError, ImportError) as error:
        raise SourceError(f"{pattern} cannot be opened: {error}.") from error
    first, chain, outer = pattern.partition("::")

    def uri_of(match: str) -> str:
        if not chain:
            return storage.absolute(str(fs.unstrip_protocol(match)))
        if "://" in first:  # zip://*.tar::s3://bucket/c.zip
            return f"{first.partition('://')[0]}://{match}::{storage.absolute(outer)}"
        return f"{first}::{fs.unstrip_protocol(match)}"  # simplecache::s3://bucket/*.tar

    if fs.isdir(path):
        return [uri_of(path).rstrip("/") + "/"]
    found = [path] if fs.exists(path) else sorted(fs.glob(path)) if any(mark in path for mark in "*?[") else []
    if not found:
        raise SourceError(f"No file matches {pattern!r}" + (f" (from {source!r})." if pattern != source else "."))
    return [uri_of(match) for match in found]
