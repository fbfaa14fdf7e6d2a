"""What a person types → the URIs of files and folders: brace ranges, globs, paths, and whatever fsspec opens.

fsspec chains file systems with `::`. One link names the file: the first of `zip://a.csv::s3://b/c.zip`, the second of
`simplecache::s3://b/a.csv`.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from braceexpand import braceexpand

from labelgen.sources.sample import SourceError
from labelshards import storage

# Files of a brace range from which on one listing of their folder is cheaper than a look at each.
_WORTH_A_LISTING = 10


def expand(source: str) -> list[str]:
    """URIs of what `source` names, in order; absolute, if they lie on this machine. Folders end in `/`.

    Of a brace range some files may be missing: they are named all the same, and reading them fails. Raises SourceError
    if nothing is there, or a glob matches nothing.
    """
    try:
        patterns = list(braceexpand(source))
    except ValueError as error:
        raise SourceError(f"The braces in {source!r} are not balanced. Write a range as {{00000..00331}}.") from error
    _list_folders_once(patterns)
    found = []
    for pattern in patterns:
        with storage.told(pattern):
            found.append(_matches(pattern))
    for pattern, matches in zip(patterns, found, strict=True):
        if not matches.there and (not matches.missing or not any(each.there for each in found)):
            named = f"{pattern!r} (from {source!r})" if pattern != source else repr(pattern)
            raise SourceError(f"No file matches {named}. Give files that are there, or patterns that match some.")
    uris = [uri for matches in found for uri in (*matches.there, *matches.missing)]
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
        raise SourceError(
            f"The name {name!r} cannot be written down: it is not UTF-8, or has control characters. Rename it."
        )


class _Matches(NamedTuple):
    """URIs of what is there; or that of the one file that a pattern without wildcards names, and that is missing."""

    there: list[str]
    missing: list[str]


def _matches(pattern: str) -> _Matches:
    fs, path = _opened(pattern)
    before, link, after = _links(pattern)

    def uri_of(match: str, end: str = "") -> str:
        if after:
            return f"{link.partition('://')[0]}://{match}{end}{after[:2]}{storage.absolute(after[2:])}"
        found = str(fs.unstrip_protocol(match))
        return before + (found if before else storage.absolute(found)) + end

    if fs.isdir(path):
        return _Matches([uri_of(path.rstrip("/"), "/")], [])
    if fs.exists(path):  # before globs, because a file may have a star in its name
        return _Matches([uri_of(path)], [])
    if any(mark in path for mark in "*?["):
        return _Matches([uri_of(match) for match in sorted(fs.glob(path))], [])
    return _Matches([], [uri_of(path)] if path else [])


def _list_folders_once(patterns: Sequence[str]) -> None:
    """Let a remote store that remembers listings list the folder of a long range, instead of asking for each file."""
    if len(patterns) < _WORTH_A_LISTING:
        return
    for folder in dict.fromkeys(folder_of(pattern) for pattern in patterns):
        fs, path = _opened(folder)
        if getattr(fs, "dircache", None) is not None and "*" not in path:
            with contextlib.suppress(FileNotFoundError), storage.told(folder):
                fs.ls(path)


def _opened(uri: str) -> tuple[Any, str]:
    try:
        return storage.filesystem(uri)
    except ValueError as error:
        raise SourceError(f"{uri} cannot be opened: {error}.") from error


def _links(uri: str) -> tuple[str, str, str]:
    """What stands before the link that names the file, that link, and what stands after; the three make the URI."""
    first, chain, rest = uri.partition("::")
    return (first + chain, rest, "") if chain and "://" not in first else ("", first, chain + rest)
