"""`catlip embed`: options → trainer.embedding over trainer.pictures → Parquet."""

import time

import click

from catlip_cli import pictures as over
from catlip_cli.options import best_option, json_option, moved_option, out_option, weights_option


@click.command()
@click.argument("model")
@over.pictures_argument
@weights_option
@best_option
@moved_option
@out_option("OUT", "features, as FILE.parquet or a folder (or URI) of parts")
@json_option
def embed(
    model: str,
    pictures: tuple[str, ...],
    weights: str,
    best: bool,
    moved: dict[str, str],
    out: str,
    as_json: bool,
) -> int:
    """Write an encoder's features of pictures, float16, with their keys.

    MODEL is a run, a folder with an exported model, a model of timm, or open_clip:NAME. PICTURE is a picture, a tar, a
    folder of them, a label set (its samples' pictures), a glob, a range like {00000..00331}.tar, or - for a list, or
    the bytes of one picture, on stdin. A run that was broken off goes on when it is run again.

    \b
    Examples:
      catlip embed demo/run demo/data/heldout --out demo/features.parquet
      catlip embed vit_small_patch14_dinov2 'shards/{00000..00331}.tar' --out s3://bucket/features
    """
    from trainer.naming import kind_of_model

    kind_of_model(model, best=best)  # a mistyped path is told before torch is there, which takes seconds
    units = over.find_units(pictures, moved)
    from trainer.distributed import default_device
    from trainer.embedding import embedding
    from trainer.opening import open_model
    from trainer.pictures import output

    opened = open_model(model, weights, default_device(), best=best)
    start = time.monotonic()
    with over.passing("Embedding", units) as report:
        work = embedding(opened.encoder)
        summary, is_new = output.write(work, units, out, opened.facts.name, report)
    return over.print_summary(summary, out, time.monotonic() - start, as_json=as_json, is_new=is_new)
