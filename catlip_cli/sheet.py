"""`catlip sheet`: options → trainer.predictions and trainer.sheet → a picture."""

from pathlib import Path

import click

from catlip_cli import terminal
from catlip_cli.options import best_option, credit_option, json_option, moved_option, out_option

_SEED = 0  # of which pictures are drawn


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--labels", required=True, metavar="DIR", help="Label set with the model's vocabulary, best held out.")
@best_option
@moved_option
@out_option("FILE", "the picture, PNG")
@click.option("--count", default=12, show_default=True, type=click.IntRange(1, 200), metavar="N",
              help="Pictures to draw.")  # fmt: skip
@credit_option
@json_option
def sheet(
    run: Path,
    labels: str,
    best: bool,
    moved: dict[str, str],
    out: str,
    count: int,
    credit: str,
    as_json: bool,
) -> None:
    """Draw pictures of a label set with their captions, true labels and what the encoder of RUN predicts.

    \b
    Example:
      catlip sheet demo/run --labels demo/heldout-labels --out demo/sheet.png
    """
    from labelshards import labelset, storage
    from trainer.naming import require_run

    require_run(run)  # a mistyped path is told before torch is there, which takes seconds
    labelset.require_manifest(labels)
    from trainer.distributed import default_device
    from trainer.predictions import open_matching, predict
    from trainer.run import open_run
    from trainer.sheet import Sheet, png

    opened = open_run(run, best=best)
    label_set = open_matching(opened.vocabulary, labels)
    predictions = predict(opened, label_set, count=count, seed=_SEED, device=default_device(), moved=moved)
    names = opened.vocabulary.names
    title = f"{opened.record.config.model.name} after {opened.checkpoint.samples:,} samples, {len(names):,} classes"
    storage.write_bytes(out, png(Sheet(title=title, names=names, credit=credit).draw(predictions)))
    if as_json:
        terminal.print_json({"out": out, "pictures": len(predictions)})
        return
    terminal.print_facts(f"Wrote {out}", [("pictures", f"{len(predictions):,}"), ("model", title)])
    terminal.print_next("catlip", "tag", str(run), "PICTURE...")
