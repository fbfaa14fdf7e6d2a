"""`catlip sheet`: options → trainer.predictions and trainer.sheet → a picture."""

from io import BytesIO
from pathlib import Path

import click

from catlip_cli import terminal


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--labels", required=True, metavar="DIR", help="Label set with the run's vocabulary, best held out.")
@click.option("--out", required=True, metavar="FILE", help="Picture to write, PNG.")
@click.option("--best", is_flag=True, help="Take the best checkpoint that was evaluated, not the newest.")
@click.option("--count", default=12, show_default=True, type=click.IntRange(1, 200), help="Number of pictures.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Which pictures.")
@click.option("--credit", default="", metavar="TEXT", help="Footer line, for the pictures' licence.")
def sheet(run: Path, labels: str, out: str, best: bool, count: int, seed: int, credit: str) -> None:
    """Draw pictures of a label set with their captions, true labels and what the encoder of RUN predicts.

    \b
    Example:
      catlip sheet demo/run --labels demo/labels_test --out demo/sheet.png
    """
    from labelshards import storage
    from trainer.distributed import default_device
    from trainer.predictions import open_matching, predict
    from trainer.run import open_run
    from trainer.sheet import Sheet

    opened = open_run(run, best=best)
    label_set = open_matching(opened.vocabulary, labels)
    predictions = predict(opened, label_set, count=count, seed=seed, device=default_device())
    names = [lemmas[0].replace("_", " ") for lemmas in opened.vocabulary.lemmas]
    title = f"{opened.record.config.model.name} after {opened.checkpoint.samples:,} samples, {len(names):,} classes"
    buffer = BytesIO()
    Sheet(title=title, names=names, credit=credit).draw(predictions).save(buffer, "PNG")
    storage.write_bytes(out, buffer.getvalue())
    terminal.stdout.print(f"Wrote {len(predictions)} pictures to {out}.", markup=False, soft_wrap=True)
