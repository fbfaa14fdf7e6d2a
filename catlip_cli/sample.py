"""`catlip sample`: the demo set, drawn on the spot."""

import time
from pathlib import Path

import click

from catlip_cli.options import json_option
from catlip_cli.terminal import duration, print_facts, print_json, print_next, progress


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--scenes", default=4000, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Scenes with captions to train on.")  # fmt: skip
@click.option("--heldout", default=400, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Scenes with captions to look at later.")  # fmt: skip
@click.option("--image-size", default=96, show_default=True, type=click.IntRange(32, 1024), metavar="PX",
              help="Side of the pictures, in pixels.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Seed of what is drawn: another seed, another set.")  # fmt: skip
@json_option
def sample(directory: Path, scenes: int, heldout: int, image_size: int, seed: int, as_json: bool) -> None:
    """Make a small set of drawn scenes with captions in DIR, without a download.

    DIR/train and DIR/heldout hold image-text shards (tars), DIR/objects an ImageFolder of single objects for a linear
    probe. The pictures are OpenMoji's (CC BY-SA 4.0). The same seed gives the same files.

    \b
    Example:
      catlip sample demo/data
    """
    from samplegen.dataset import Settings, make_sample_set, num_pictures, read_sample_set

    settings = Settings(scenes=scenes, heldout=heldout, image_size=image_size, seed=seed)
    start = time.monotonic()
    found = read_sample_set(directory, settings)
    result = found
    if result is None:
        with progress("Drawing", num_pictures(settings)) as ticker:
            result = make_sample_set(directory, settings, ticker.update)
    seconds = time.monotonic() - start
    if as_json:
        print_json(
            {"out": str(directory), "changed": found is None, "seconds": round(seconds, 3), "sample_set": result}
        )
        return
    title = f"Made {directory} in {duration(seconds)}"
    print_facts(
        title if found is None else f"Nothing to do: {directory} is complete",
        [
            ("train", f"{settings.scenes:,} scenes with captions"),
            ("heldout", f"{settings.heldout:,} scenes with captions"),
            ("objects", " + ".join(f"{count:,} {split}" for split, count in result.objects.items()) + " pictures"),
            ("pictures", f"{settings.image_size} x {settings.image_size}, OpenMoji (openmoji.org), CC BY-SA 4.0"),
        ],
    )
    print_next(
        *("catlip", "labels", "build", f"{directory}/train/*.tar", "--out", f"{directory.parent / 'labels'}"),
        *("--threshold", "25", "--keep-captions"),
    )
