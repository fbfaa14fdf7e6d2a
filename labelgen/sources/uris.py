"""What a person types → the URIs of files and folders: brace ranges, globs, paths, and whatever fsspec opens.

fsspec chains file systems with `::`. One link names the file: the first of `zip://a.csv::s3://b/c.zip`, the second of
`simplecache::s3://b/a.csv`.
"""

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
    """The link that names the file or folder."""
    return _links(uri)[1]


def folder_of(uri: str) -> str:
    """The folder that a file lies in; it ends in `/`."""
    before, link, after = _links(uri)
    return before + link[: link.rfind("/") + 1] + after


def below(folder: str, path: str) -> str:
    """The URI of `path` in a folder."""
    before, link, after = _links(folder)
    return before + link + ("" if link.endswith("/") else "/") + path + after


def with_suffix(uri: str, old: str, new: str) -> str:
    """The URI of the file that is called the same but for its ending, in whatever case."""
    before, link, after = _links(uri)
    return before + (link[: -len(old)] if link.lower().endswith(old) else link) + new + after


def refuse_unprintable(name: str) -> None:
    """Raise SourceError for names that cannot stand in a label set."""
    if not name.isprintable():
        raise SourceError(f"The name {name!r} cannot be written down: it is not UTF-8, or has control characters.")


def _matches(pattern: str, source: str) -> list[str]:
    try:
        fs, path = storage.filesystem(pattern)
    except (ValueError, ImportError) as error:
        raise SourceError(f"{pattern} cannot be opened: {error}.") from error
    before, link, after = _links(pattern)

    def uri_of(match: str, end: str = "") -> str:
        if after:
            return f"{link.partition('://')[0]}://{match}{end}{after[:2]}{storage.absolute(after[2:])}"
        found = str(fs.unstrip_protocol(match))
        return before + (found if before else storage.absolute(found)) + end

    if fs.isdir(path):
        return [uri_of(path.rstrip("/"), "/")]
    found = [path] if fs.exists(path) else sorted(fs.glob(path)) if any(mark in path for mark in "*?[") else []
    if not found:
        raise SourceError(f"No file matches {pattern!r}" + (f" (from {source!r})." if pattern != source else "."))
    return [uri_of(match) for match in found]


def _links(uri: str) -> tuple[str, str, str]:
    """What stands before the link that names the file, that link, and what stands after; the three make the URI."""
    first, chain, rest = uri.partition("::")
    return (first + chain, rest, "") if chain and "://" not in first else ("", first, chain + rest)
