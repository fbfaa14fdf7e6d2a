"""`catlip labels`: build label sets, and fetch the language data that this takes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from catlip_cli.explain import explain
from catlip_cli.helps import InOrder
from catlip_cli.label_summary import tell, tell_slice
from catlip_cli.options import json_option, out_option, refuse_idle
from catlip_cli.rules import LABELERS, labeler_option, labeling_rules
from catlip_cli.terminal import Ticker, print_facts, print_json, print_next, progress, stderr
from catlip_cli.verify import verify

if TYPE_CHECKING:
    from labelgen.outcome import Progress

# The names in labelgen.engines and labelgen.sources.FORMATS, which are not imported for a help text; a test compares.
ENGINES = ("local", "ray")
FORMATS = ("tar", "parquet", "coco", "jsonl", "tsv", "csv", "txt", "folder")


class SliceType(click.ParamType[tuple[int, int]]):
    """`3/8` → (3, 8)."""

    name = "slice"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:  # noqa: ANN401
        """Raises BadParameter for what is no slice."""
        if isinstance(value, tuple):
            return value
        index, _, number = str(value).partition("/")
        if not (index.isdecimal() and number.isdecimal() and int(index) < int(number)):
            self.fail(f"{value!r} is no slice. Of 8 jobs the first is 0/8 and the last 7/8.", param, ctx)
        return int(index), int(number)


@click.group(cls=InOrder)
def labels() -> None:
    """Turn captions into label sets.

    \b
    Examples:
      catlip labels setup
      catlip labels explain "a crane lifting steel beams"
      catlip labels build 'demo/data/train/*.tar' --out demo/labels --threshold 25
      catlip labels verify demo/labels
    """


@labels.command(short_help="Fetch what labelling needs, and compile the parse.")
@json_option
def setup(as_json: bool) -> None:
    """Fetch what labelling needs and this machine lacks, WordNet 3.0 and a spaCy model, and compile the parse.

    Each build would compile it otherwise, in every worker, until one has kept it in the cache folder.

    \b
    Example:
      catlip labels setup
    """
    from labelgen import labelers, language_data
    from labelgen.dictionary import wordnet
    from labelshards.errors import CatlipError

    try:
        model = language_data.spacy_model()
    except CatlipError:
        stderr.print("Installing the spaCy model en_core_web_sm …")
        language_data.install_spacy_model()
        model = language_data.spacy_model()
    try:
        folder = language_data.find_wordnet()
        wordnet.verify(folder)
    except CatlipError:
        stderr.print("Fetching WordNet 3.0 …")
        folder = language_data.fetch_wordnet()
        wordnet.verify(folder)
    stderr.print("Compiling the parse, unless that was done …")
    compiled = labelers.compile_loops(model)
    if as_json:
        print_json(
            {"spacy_model": model, "wordnet": str(folder), "compiled_parse": str(compiled) if compiled else None}
        )
        return
    facts = [("spaCy model", model), ("WordNet 3.0", str(folder))]
    facts.append(("compiled parse", str(compiled or "kept nowhere: the cache folder cannot be written to")))
    print_facts("Language data is in place", facts)
    print_next("catlip", "labels", "build", "SOURCE...", "--out", "DIR")


@labels.command(short_help="Label captions, and write a label set.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--input-format", type=click.Choice(FORMATS),
              help="Read every SOURCE as this.  [default: by its name, then by its content]")  # fmt: skip
@click.option("--caption-key", metavar="A,B",
              help="Columns, or JSON fields, with captions: those of one sample together.  [default: in tars and "
              "folders the JSON's `captions`, the .txt, the JSON's `caption`; in tables the usual names]")  # fmt: skip
@click.option("--key-column", metavar="NAME", help="Column with the samples' keys.  [default: key, else row numbers]")
@click.option("--image-column", metavar="NAME",
              help="Column with paths of pictures.  [default: image_path, filepath, file_name, image]")  # fmt: skip
@click.option("--image-root", metavar="DIR",
              help="Where paths of pictures start; COCO needs it.  [default: the table's folder]")  # fmt: skip
@click.option("--captions-from", metavar="parquet:COLUMN",
              help="Take a tar's captions from the Parquet beside it, joined by its column `key`.")  # fmt: skip
@click.option("--vocabulary", metavar="DIR", help="Take the classes of this label set, for example for held-out data.")
@out_option("DIR", "the label set")
@click.option("--threshold", type=click.IntRange(min=0), default=500, show_default=True, metavar="V",
              help="Keep a class if it occurs in more than V samples.")  # fmt: skip
@labeler_option(LABELERS[0])
@labeling_rules
@click.option("--distilled-captions", type=click.IntRange(min=1), default=50_000, show_default=True, metavar="N",
              help="With --nouns distilled: how many captions teach the table.")  # fmt: skip
@click.option("--distilled-floor", type=click.FloatRange(0, 1), default=0.9, show_default=True, metavar="X",
              help="With --nouns distilled: the least F1 at which its labels are spaCy's, on captions that it never "
              "saw; a worse table is refused.")  # fmt: skip
@click.option("--keep-captions", is_flag=True, help="Keep the cleaned captions in the label shards.")
@click.option("--no-keep-candidates", is_flag=True,
              help="Drop the parse at the end; another threshold then parses all captions again.")  # fmt: skip
@click.option("--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True,
              help="Processes of this machine; or Ray, on the cluster of RAY_ADDRESS or one started here.")  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes at once.  [default: one a core]"
)
@click.option("--slice", "part", type=SliceType(), metavar="I/N",
              help="Parse only shards I, I+N, I+2N, … as job I of N, from 0. Then: labels finish DIR.")  # fmt: skip
@click.option("--retry-failed", is_flag=True,
              help="Parse only the shards that failed before, and look at no other source again.")  # fmt: skip
@click.option("--rebuild", is_flag=True, help="Parse all captions again, whatever stands in DIR.")
@click.option("--max-bad-fraction", type=click.FloatRange(0, 1), default=0.5, show_default=True, metavar="X",
              help="Fail if more than this share of the shards cannot be parsed, and make no label set.")  # fmt: skip
@json_option
def build(
    sources: tuple[str, ...],
    input_format: str | None,
    caption_key: str | None,
    key_column: str | None,
    image_column: str | None,
    image_root: str | None,
    captions_from: str | None,
    vocabulary: str | None,
    out: str,
    threshold: int,
    labeler: str,
    rules: dict[str, Any],
    distilled_captions: int,
    distilled_floor: float,
    keep_captions: bool,
    no_keep_candidates: bool,
    engine: str,
    workers: int | None,
    part: tuple[int, int] | None,
    retry_failed: bool,
    rebuild: bool,
    max_bad_fraction: float,
    as_json: bool,
) -> int:
    """Label the captions of SOURCE... and write a label set.

    SOURCE is a path or URI of: img2dataset or WebDataset tars; Parquet, CSV, TSV, or JSONL tables; COCO captions
    JSON; .txt with one caption a line; a folder of pictures with a .txt beside each; or - for standard input (lines of
    captions, or what --input-format says). Brace ranges and globs may be quoted. docs/sources.md says how each is read.

    A build that was broken off goes on when it is run again. Another --threshold, --policy, --senses, --families,
    --modifiers or --no-stoplist parses no caption again.

    \b
    Examples:
      catlip labels build 'cc3m/{00000..00331}.tar' --out labels
      catlip labels build 'cc3m/*.tar' --out labels --threshold 100
      catlip labels build laion.parquet --caption-key TEXT --out labels
      catlip labels build photos/ --out labels
      catlip labels build 'cc3m/*.tar' --out labels --families attributes=100,hypernyms
      catlip labels build 'datacomp/*.tar' --out labels --nouns distilled
      catlip labels build heldout.tar --vocabulary labels --out heldout-labels
      catlip labels build 's3://bucket/cc3m/{00000..00331}.tar' --out s3://bucket/labels --engine ray
      catlip labels build 'cc3m/*.tar' --out labels --slice $SLURM_ARRAY_TASK_ID/100
    """
    from labelgen.build import build as build_label_set
    from labelgen.build import build_slice
    from labelgen.options import Options
    from labelgen.outcome import Slice
    from labelgen.sources.fields import Fields
    from labelshards import storage

    if part is not None and retry_failed:
        raise click.UsageError("--retry-failed takes the failed shards of all slices. Leave out --slice.")
    if retry_failed and rebuild:
        raise click.UsageError("--rebuild parses all captions again, --retry-failed only a few. Choose one.")
    if vocabulary:
        refuse_idle(("threshold", "families", "hypernym_depth"), "classes of its own, not with --vocabulary")
    if rules["nouns"] != "distilled":
        refuse_idle(("distilled_captions", "distilled_floor"), "--nouns distilled")
    if "hypernyms" not in rules["families"]:
        refuse_idle(("hypernym_depth",), "--families hypernyms")
    options = Options(
        sources=sources,
        out=out,
        threshold=threshold,
        vocabulary_from=vocabulary,
        fields=Fields(
            format=input_format,
            caption_keys=tuple(key for key in (caption_key or "").split(",") if key),
            key_column=key_column,
            image_column=image_column,
            image_root=storage.absolute(image_root) if image_root else None,
            captions_from=captions_from,
        ),
        labeler=labeler,
        distilled_captions=distilled_captions,
        distilled_floor=distilled_floor,
        keep_captions=keep_captions,
        keep_candidates=not no_keep_candidates,
        engine=engine,
        num_workers=workers,
        retry_failed=retry_failed,
        max_bad_fraction=max_bad_fraction,
        rebuild=rebuild,
        **rules,
    )
    with _watched() as show:
        if part is None:
            result = build_label_set(options, show)
        else:
            slice_result = build_slice(options, Slice(*part), show)
    if part is None:
        return tell(result, out, as_json=as_json)
    return tell_slice(slice_result, Slice(*part), out, as_json=as_json)


@labels.command(short_help="Make one label set of what all slices have parsed.")
@click.argument("label_set", metavar="DIR")
@json_option
def finish(label_set: str, as_json: bool) -> int:
    """Make the label set in DIR out of what all slices of `labels build --slice I/N` have parsed.

    Everything else is read from DIR: sources, settings, threshold (those of the slice that began last). Slices with
    shards that nobody parsed are listed, and nothing is made; shards that failed are listed in the label set.

    \b
    Example:
      catlip labels finish labels
    """
    from labelgen.build import finish as finish_label_set

    with _watched() as show:
        result = finish_label_set(label_set, show)
    return tell(result, label_set, as_json=as_json)


@contextmanager
def _watched() -> Iterator[Callable[["Progress"], None]]:
    """Shows the progress of a build, stage after stage."""
    with ExitStack() as stack:
        tickers: dict[str, Ticker] = {}

        def show(at: "Progress") -> None:
            if at.stage not in tickers:  # a stage's first report says what an earlier run had done
                stack.close()
                tickers[at.stage] = stack.enter_context(progress(at.stage, at.total, started_at=at.done))
            rate = at.captions_per_second
            tickers[at.stage].update(at.done, "" if rate is None else f"{rate:,.0f} captions/s")

        yield show


labels.add_command(explain)
labels.add_command(verify)
