"""Tagged pictures → one HTML page in which a person searches them by tag; it needs neither network nor other files."""

import base64
from collections.abc import Callable, Iterator
from importlib import resources

import msgspec

from labelshards import webpage
from trainer.tagging.album import Album
from trainer.tagging.picking import Picked, Tag, Tagged
from trainer.tagging.words import Words

_SIDE = 320  # pixels
_MOST_BYTES = 24_000_000  # of all pictures, so that the page can be sent and opened
_PER_BLOCK = 100  # pictures that the page unpacks together


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A picture. source: a number; tags, above: (number of the synset, probability)."""

    key: str
    source: int
    tags: list[tuple[int, float]]
    above: list[tuple[int, float]]


class _Core(msgspec.Struct, frozen=True, kw_only=True):
    """All but the pixels. counts: how many of `total` pictures, shown or not, have each synset, the commonest first."""

    lede: str
    foot: str
    synsets: list[str]
    words: list[str]
    glosses: list[str]
    counts: list[int]
    total: int
    is_above: list[bool]
    sources: list[str]
    pictures: list[_Shown]
    pictures_per_block: int = _PER_BLOCK


def render(
    picked: Picked, album: Album, words: Words, *, model: str, credit: str, report: Callable[[int, int], None]
) -> bytes:
    """The page. Pictures that are not there any more are left out, and so are those beyond 24 MB."""
    shown: list[Tagged] = []
    thumbnails: list[str] = []
    room = _MOST_BYTES
    for done, picture in enumerate(picked.pictures):
        report(done, len(picked.pictures))
        webp = album.thumbnail(picture, _SIDE)
        if webp is None:
            continue
        text = base64.b64encode(webp).decode()
        room -= len(text)
        if room < 0:
            break
        shown.append(picture)
        thumbnails.append(text)
    core = _core(picked, shown, words, model, credit)
    return webpage.render(
        _asset("gallery.html"),
        title=f"{picked.total:,} pictures, tagged by {model}" if picked.total != 1 else f"A picture, tagged by {model}",
        style=_asset("gallery.css"),
        scripts=[_asset("gallery.js")],
        data=_blocks(core, thumbnails),
    )


def _core(picked: Picked, shown: list[Tagged], words: Words, model: str, credit: str) -> _Core:
    synsets = sorted(picked.counts, key=lambda synset: (-picked.counts[synset], synset))
    number = {synset: at for at, synset in enumerate(synsets)}
    sources = list(dict.fromkeys(picture.source for picture in shown))
    place = {source: at for at, source in enumerate(sources)}
    of_classes = {tag.synset for picture in shown for tag in picture.tags}

    def numbered(tags: tuple[Tag, ...]) -> list[tuple[int, float]]:
        return [(number[tag.synset], round(tag.probability, 4)) for tag in tags]

    chosen = f"{len(shown):,} of them, some by chance, and those that are surest of each tag"
    part = "all of them" if len(shown) == picked.total else chosen
    return _Core(
        lede=f"Here are {part}. The number beside a tag counts all pictures that have it.",
        foot=credit,
        synsets=synsets,
        words=[words.words[synset] for synset in synsets],
        glosses=[words.glosses.get(synset, "") for synset in synsets],
        counts=[picked.counts[synset] for synset in synsets],
        total=picked.total,
        is_above=[synset not in of_classes for synset in synsets],
        sources=sources,
        pictures=[
            _Shown(key=each.key, source=place[each.source], tags=numbered(each.tags), above=numbered(each.above))
            for each in shown
        ],
    )


def _blocks(core: _Core, thumbnails: list[str]) -> Iterator[str]:
    yield webpage.packed("data-core", msgspec.json.encode(core))
    for number, start in enumerate(range(0, len(thumbnails), _PER_BLOCK)):
        yield webpage.listed(f"data-pictures-{number}", thumbnails[start : start + _PER_BLOCK])


def _asset(name: str) -> str:
    return (resources.files("trainer.tagging") / "assets" / name).read_text(encoding="utf-8")
