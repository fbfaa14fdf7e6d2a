"""`catlip vocab import-corenet` and `export`: vocabularies from and for other programs."""

import click

from catlip_cli.options import json_option, max_classes_option, out_option
from catlip_cli.terminal import print_facts, print_json, print_next, write_out


@click.command("import-corenet", short_help="Take over a vocabulary of the published code.")
@click.argument("file", metavar="FILE.pkl")
@out_option("DIR", "a label set without samples")
@max_classes_option
@json_option
def import_corenet(file: str, out: str, max_classes: int | None, as_json: bool) -> None:
    """Take over the vocabulary of the published code: a pickled dict of WordNet offsets and counts.

    The pickle may hold nothing else; one that could run code is refused. DIR can be inspected, compared and exported,
    and `catlip labels build --vocabulary DIR` labels with it. Class ids are those of the published checkpoints.

    \b
    Examples:
      catlip vocab import-corenet vocab.pkl --out corenet
      catlip vocab import-corenet vocab.pkl --out corenet --max-classes 24320
    """
    from labelgen.classes.corenet_vocabulary import import_corenet as take_over
    from labelgen.meaning.atlas import read_atlas

    label_set = take_over(file, out, read_atlas(), max_classes)
    vocab = label_set.vocabulary
    if as_json:
        print_json({"out": out, "classes": len(vocab), "vocabulary_digest": vocab.digest})
        return
    most = ", ".join(
        f"{name} ({support:,})" for name, support in zip(vocab.synsets[:5], vocab.support[:5], strict=True)
    )
    print_facts(f"Vocabulary {out}", [("classes", f"{len(vocab):,}"), ("most frequent", most)])
    print_next("catlip", "vocab", "inspect", out, "--sort", "flags")


@click.command(short_help="Write the vocabulary for other programs.")
@click.argument("folder", metavar="DIR")
@click.option("--out", metavar="FILE", default="-", show_default=True,
              help="File to write: the vocabulary; - for standard output.")  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv", "corenet", "timm"]),
    required=True,
    help="Form of what is written. corenet: the published code's pickle; timm: label_names and label_descriptions of a "
    "config.json.",
)
@json_option
def export(folder: str, out: str, form: str, as_json: bool) -> None:
    """Write the vocabulary of the label set DIR for other programs.

    \b
    Examples:
      catlip vocab export labels --format csv > classes.csv
      catlip vocab export labels --format timm --out label_names.json
      catlip vocab export labels --format corenet --out vocab.pkl
    """
    if as_json and out == "-":
        raise click.UsageError("Standard output takes the vocabulary or the summary. Give --out FILE with --json.")
    from labelgen.classes.export import export as write
    from labelshards.labelset import LabelSet

    label_set = LabelSet.open(folder)
    data = write(label_set, form)
    write_out(data, out)
    if out == "-":
        return
    number = len(label_set.vocabulary)
    if as_json:
        print_json({"out": out, "format": form, "classes": number})
        return
    print_facts(f"Wrote {out}", [("classes", f"{number:,}"), ("form", form)])
    print_next("catlip", "train", "--labels", folder, "--recipe", "FILE", "--out", "DIR")
