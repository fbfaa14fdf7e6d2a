"""`catlip tag`: options → trainer.tagging over trainer.pictures → lines, Parquet, a sheet, a gallery."""

import tempfile
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from catlip_cli import pictures as over
from catlip_cli import terminal
from catlip_cli.options import best_option, credit_option, moved_option, out_option, refuse_idle
from catlip_cli.tag_lines import TagLines
from catlip_cli.tag_pages import album_of, write_gallery, write_sheet

if TYPE_CHECKING:
    from labelshards.vocabulary import Vocabulary
    from trainer.pictures.units import Unit
    from trainer.pictures.work import Work
    from trainer.tagging.tagger import TagRules


@click.command()
@click.argument("model")
@over.pictures_argument
@best_option
@moved_option
@out_option("OUT", "tags, as FILE.parquet or a folder (or URI) of parts; without it they are printed", required=False)
@click.option("--sheet", metavar="FILE", help="File to write: some of the pictures with their tags, PNG.")
@click.option("--gallery", metavar="FILE",
              help="File to write: a page of pictures to search by tag, HTML; it needs no network.")  # fmt: skip
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, metavar="N",
              help="At most so many tags a picture.")  # fmt: skip
@click.option("--threshold", type=click.FloatRange(0, 1), metavar="X",
              help="Only tags with at least this probability.")  # fmt: skip
@click.option("--thresholds", metavar="FILE", help="A threshold for each class, from `catlip calibrate`.")
@click.option("--roll-up", is_flag=True, help="Also what stands above the tags in WordNet: dog, so animal.")
@click.option("--count", type=click.IntRange(1, 5000), metavar="N",
              help="Pictures to draw on the sheet, or in the gallery.  [default: 12, 500]")  # fmt: skip
@credit_option
@click.option("--json", "as_json", is_flag=True,
              help="Print one JSON object a picture; with --out, the summary as one JSON object.")  # fmt: skip
def tag(
    model: str,
    pictures: tuple[str, ...],
    best: bool,
    moved: dict[str, str],
    out: str | None,
    sheet: str | None,
    gallery: str | None,
    top: int,
    threshold: float | None,
    thresholds: str | None,
    roll_up: bool,
    count: int | None,
    credit: str,
    as_json: bool,
) -> int:
    """Say what pictures show, in synsets with probabilities.

    MODEL is a run, or a folder with an exported model, its head and vocabulary. PICTURE is a picture, a tar, a folder
    of them, a label set (its samples' pictures), a glob, a range like {00000..00331}.tar, or - for a list, or the bytes
    of one picture, on stdin. With --out a run that was broken off goes on when it is run again.

    \b
    Examples:
      catlip tag demo/run demo/data/objects/test/dog --top 3
      catlip tag demo/run 'demo/data/heldout/*.tar' --out demo/tags.parquet --gallery demo/gallery.html
      find photos -name '*.jpg' | catlip tag run - --thresholds thresholds.parquet --json
    """
    if threshold is not None and thresholds:
        raise click.UsageError("--threshold is one for all classes, --thresholds has one for each. Choose one.")
    if not (sheet or gallery):
        refuse_idle(("count", "credit"), "--sheet or --gallery")
    from trainer.naming import kind_of_model

    kind_of_model(model, best=best)  # a mistyped path is told before torch is there, which takes seconds
    units = over.find_units(pictures, moved)
    from trainer.distributed import default_device
    from trainer.opening import PRETRAINED, open_model
    from trainer.pictures import output
    from trainer.tagging.tagger import tagging, vocabulary_of
    from trainer.tagging.words import words_of

    opened = open_model(model, PRETRAINED, default_device(), best=best)
    name, vocabulary = opened.facts.name, vocabulary_of(opened.encoder)
    rules = _rules(vocabulary, top, threshold, thresholds, roll_up=roll_up)
    work = tagging(opened.encoder, rules)
    words = words_of(vocabulary, rules.hierarchy)
    lines = TagLines(words.words, as_json=as_json)
    with tempfile.TemporaryDirectory() as scratch:
        if not (out or sheet or gallery):
            return _print_at_once(work, units, name, lines)
        start = time.monotonic()
        tags = out or f"{scratch}/tags.parquet"
        with over.passing("Tagging", units) as report:
            summary, is_new = output.write(work, units, tags, name, report)
        if out is None:
            for table in output.tables(tags):
                lines.add(table)
        album = album_of(units, moved)
        if sheet:
            write_sheet(tags, sheet, album, vocabulary, model=name, count=count, credit=credit)
        if gallery:
            write_gallery(tags, gallery, album, words, model=name, count=count, credit=credit)
    if out is None:
        return over.print_damage(summary.damaged)
    then = ("python", "-m", "webbrowser", gallery) if gallery else ()
    seconds = time.monotonic() - start
    return over.print_summary(summary, out, seconds, as_json=as_json, is_new=is_new, then=then)


def _print_at_once(work: "Work", units: "list[Unit]", model: str, lines: TagLines) -> int:
    """Tags of each part as soon as they are there."""
    from trainer.pictures.summary import Tally
    from trainer.pictures.work import parts

    tally = Tally("", model, work.settings)
    quietly = terminal.stdout.is_terminal  # lines tell how far it is, and a bar would stand between them
    with nullcontext(lambda _bytes, _pictures: None) if quietly else over.passing("Tagging", units) as report:
        for part in parts(work, ((unit, ()) for unit in units), report):
            tally.add(part.unit.sources[0].uri, part.table, part.damage)
            lines.add(part.table)
    return over.print_damage(tally.summary().damaged)


def _rules(
    vocabulary: "Vocabulary", top: int, threshold: float | None, thresholds: str | None, *, roll_up: bool
) -> "TagRules":
    """WordNet, for --roll-up, is known to the other half alone; the two meet here."""
    import numpy as np

    from labelshards import storage
    from trainer.tagging.calibration import read_thresholds
    from trainer.tagging.tagger import TagRules

    hierarchy = None
    if roll_up:
        from labelgen.audit.rollup import hierarchy_of
        from labelgen.meaning.atlas import read_atlas

        hierarchy = hierarchy_of(vocabulary, read_atlas())
    if thresholds:
        thresholds_K = read_thresholds(thresholds, vocabulary)
        said = storage.digest(thresholds_K.tobytes())
    else:
        thresholds_K = np.full(len(vocabulary), threshold or 0.0, np.float32)
        said = f"{threshold or 0:g}"
    return TagRules(top=top, thresholds_K=thresholds_K, said=said, hierarchy=hierarchy)
