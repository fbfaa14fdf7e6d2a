"""`catlip import-corenet`: options → trainer.corenet, with classes that labelgen names → a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from catlip_cli import exported, terminal
from catlip_cli.options import json_option, out_option

if TYPE_CHECKING:
    from labelshards.vocabulary import Vocabulary


@click.command("import-corenet")
@click.argument("checkpoint", metavar="FILE.pt", type=click.Path(path_type=Path))
@click.option("--vocab", metavar="FILE.pkl",
              help="The published vocabulary: names for a pre-trained model's classes.")  # fmt: skip
@out_option("DIR", "the model", local=True)
@click.option("--image-size", default=224, show_default=True, type=click.IntRange(min=16), metavar="PX",
              help="Side of the pictures, in pixels, which the file does not say; 512 for some.")  # fmt: skip
@json_option
def import_corenet(checkpoint: Path, vocab: str | None, out: Path, image_size: int, as_json: bool) -> None:
    """Take over a CatLIP model that Apple released, pre-trained or fine-tuned for classification.

    FILE.pt is a checkpoint of CoreNet's ViT, base, large or huge; nothing in it is run. DIR is what `catlip export`
    writes: every command here that takes a model takes it, and `catlip export DIR` makes ONNX of it.

    \b
    Examples:
      catlip import-corenet vit_base.pt --vocab datacomp_1_2B_vocab.pkl --out catlip-b
      catlip import-corenet vit_base_512x512.pt --image-size 512 --out catlip-b-in1k
    """
    checkpoint.open("rb").close()  # a mistyped path is told before torch is there, which takes seconds
    from trainer.corenet.imported import open_checkpoint
    from trainer.export import folder

    def name_classes(number: int) -> "Vocabulary":
        from labelgen.classes.corenet_vocabulary import read_vocabulary
        from labelgen.meaning.atlas import read_atlas

        assert vocab is not None, "asked for only with --vocab"
        return read_vocabulary(vocab, read_atlas(), number)

    found = open_checkpoint(checkpoint, image_size=image_size, name_classes=name_classes if vocab else None)
    written = folder.write(found, out, folder.TIMM)
    if as_json:
        terminal.print_json(exported.as_json(found, written, out))
        return
    named = (
        ", ".join(found.vocabulary.synsets[:5]) + ", …" if found.vocabulary else "numbers alone (--vocab names them)"
    )
    terminal.print_facts(f"Wrote {out}", [*exported.facts(found, written), ("classes", named)])
    terminal.print_next("catlip", "probe", str(out), "--data", "DATA")
