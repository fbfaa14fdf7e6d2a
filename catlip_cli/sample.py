"""`catlip sample`: the demo set, drawn on the spot."""

import shlex
import time
from pathlib import Path

import click

from catlip_cli.terminal import duration, print_facts, print_json, print_next, progress


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--scenes", default=4000, show_default=True, type=click.IntRange(min=1), help="Scenes to train on.")
@click.option("--heldout", default=400, show_default=True, type=click.IntRange(min=1), help="Scenes to look at later.")
@click.option(
    "--size", default=96, show_default=True, type=click.IntRange(32, 1024), help="Side of the pictures in pixels."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Another seed, another set.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def sample(directory: Path, scenes: int, heldout: int, size: int, seed: int, as_json: bool) -> None:
    """Make a small set of drawn scenes with captions in DIR, without a download.

    DIR/train and DIR/heldout hold image-text shards (tars), DIR/objects an ImageFolder of single objects for a linear
    probe. The pictures are OpenMoji's (CC BY-SA 4.0). The same seed gives the same files.

    \b
    Example:
      catlip sample demo/data
    """
    from samplegen.dataset import Settings, make_sample_set, num_pictures, read_sample_set

    settings = Settings(scenes=scenes, heldout=heldout, size=size, seed=seed)
    start = time.monotonic()
    found = read_sample_set(directory, settings)
    result = found
    if result is None:
        with progress("Drawing", num_pictures(settings)) as ticker:
            result = make_sample_set(directory, settings, ticker.update)
    if as_json:
        print_json({"directory": str(directory), "made": found is None, "sample_set": result})
        return
    title = f"Made {directory} in {duration(time.monotonic() - start)}"
    print_facts(
        title if found is None else f"Nothing to do: {directory} is complete",
        [
            ("train", f"{settings.scenes:,} scenes with captions"),
            ("heldout", f"{settings.heldout:,} scenes with captions"),
            ("objects", " + ".join(f"{count:,} {split}" for split, count in result.objects.items()) + " pictures"),
            ("pictures", f"{settings.size} x {settings.size}, OpenMoji (openmoji.org), CC BY-SA 4.0"),
        ],
    )
    labels = directory.parent / "labels"
    print_next(
        f"catlip labels build {shlex.quote(f'{directory}/train/*.tar')} --out {shlex.quote(str(labels))} "
        "--threshold 25 --keep-captions"
    )
