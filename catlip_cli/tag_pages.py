"""What `catlip tag` draws of pictures that are tagged: a sheet, a gallery."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catlip_cli import terminal

if TYPE_CHECKING:
    from labelshards.vocabulary import Vocabulary
    from trainer.pictures.units import Unit
    from trainer.tagging.album import Album
    from trainer.tagging.words import Words

_ON_SHEET, _IN_GALLERY = 12, 500
_SEED = 0


def album_of(units: "Sequence[Unit]", moved: dict[str, str]) -> "Album":
    """Where the pictures of `units` can be read again."""
    from trainer.tagging.album import Album

    held = {source.uri: source.data for unit in units for source in unit.sources if source.data is not None}
    return Album(moved, held)


def write_sheet(
    tags: str, where: str, album: "Album", vocabulary: "Vocabulary", *, model: str, count: int | None, credit: str
) -> None:
    """Draw some pictures of the file or folder `tags`."""
    from labelshards import storage
    from trainer.pictures import output
    from trainer.sheet import png
    from trainer.tagging import picking, tagsheet

    picked = picking.pick(output.tables(tags), count or _ON_SHEET, _SEED)
    title = f"{picked.total:,} pictures, tagged by {model}"
    sheet = tagsheet.draw(picked.pictures, album, vocabulary, title=title, credit=credit)
    storage.write_bytes(where, png(sheet))
    terminal.stderr.print(f"Wrote {where}.", markup=False, soft_wrap=True)


def write_gallery(
    tags: str, where: str, album: "Album", words: "Words", *, model: str, count: int | None, credit: str
) -> None:
    """Write the page about the file or folder `tags`."""
    from labelshards import storage
    from trainer.pictures import output
    from trainer.tagging import gallery, picking

    picked = picking.pick(output.tables(tags), count or _IN_GALLERY, _SEED)
    with terminal.progress("Drawing", len(picked.pictures)) as ticker:
        page = gallery.render(
            picked, album, words, model=model, credit=credit, report=lambda done, _total: ticker.update(done)
        )
    storage.write_bytes(where, page)
    terminal.stderr.print(f"Wrote {where}.", markup=False, soft_wrap=True)
