"""A released checkpoint → what can be written as an exported folder."""

from collections.abc import Callable
from pathlib import Path

import timm
import torch

from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from trainer.corenet import checkpoint, vit
from trainer.corenet.checkpoint import Arguments
from trainer.encoders.encoder import PictureInput
from trainer.export import card, config
from trainer.export.sources import Exportable

# CoreNet's transforms for evaluation: at 224 it resizes to 232 and crops, at other sizes it crops nothing.
_CROP_SHARES = {224: 224 / 232}
_INTERPOLATION = "bilinear"
# Heads that no vocabulary of captions names.
_FINE_TUNED = {1000: "ImageNet-1k", 365: "Places365"}


def open_checkpoint(
    path: Path, *, image_size: int, name_classes: Callable[[int], Vocabulary] | None = None
) -> Exportable:
    """The model of a checkpoint of CoreNet, for pictures of `image_size`.

    name_classes: gives the vocabulary of a pre-trained model for a number of classes. Raises CatlipError if the file is
    no checkpoint, or has another layout.
    """
    state = checkpoint.read(path)
    arguments = checkpoint.arguments(state, image_size)
    vocabulary = _named(arguments.num_classes, name_classes) if name_classes else None
    with torch.device("meta"):  # weights are those of the file: none need be drawn
        model = timm.create_model(vit.NAME, **arguments._asdict())
    try:
        model.load_state_dict(checkpoint.to_timm(state, image_size), assign=True)
    except RuntimeError as error:
        what = " ".join(str(error).split())
        raise CatlipError(f"{path} has another layout than CoreNet's: {what} Give a checkpoint of CatLIP.") from error
    made = config.make(
        model,
        architecture=vit.NAME,
        model_args={key: value for key, value in arguments._asdict().items() if key != "num_classes"},
        picture=PictureInput(
            image_size=image_size,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            crop_share=_CROP_SHARES.get(image_size, 1.0),
        ),
        interpolation=_INTERPOLATION,
        vocabulary=vocabulary,
        origin=config.Origin(made_from="corenet", vocabulary_digest=vocabulary.digest if vocabulary else None),
    )
    return Exportable(
        folder=path,
        model=model.eval().requires_grad_(False),
        config=made,
        vocabulary=vocabulary,
        card=_card(path, arguments, made, vocabulary),
    )


def _named(num_classes: int, name_classes: Callable[[int], Vocabulary]) -> Vocabulary:
    if num_classes in _FINE_TUNED:
        raise CatlipError(
            f"This head has {num_classes:,} classes, as those fine-tuned on {_FINE_TUNED[num_classes]} have; a "
            "vocabulary names those of a pre-trained one. Leave --vocab out."
        )
    vocabulary = name_classes(num_classes)
    if len(vocabulary) != num_classes:
        raise CatlipError(
            f"The vocabulary has {len(vocabulary):,} classes, the checkpoint's head {num_classes:,}. Give --vocab that "
            "was published with it."
        )
    return vocabulary


def _card(path: Path, arguments: Arguments, made: config.ExportConfig, vocabulary: Vocabulary | None) -> str:
    opening = (
        "An image encoder that Apple released with [CatLIP](https://arxiv.org/abs/2404.15653), taken over from the "
        "layout of [CoreNet](https://github.com/apple/corenet). Its licence is the one under which it was published."
    )
    size = arguments.img_size
    about = [
        f"- architecture: {arguments.title} with CoreNet's stem, `{vit.NAME}`",
        f"- file: `{path.name}`",
        f"- pictures: {size} x {size} pixels in [0, 1], positions resized as CoreNet does it",
        f"- head: {arguments.num_classes:,} classes",
    ]
    named = card.classes(vocabulary, made) if vocabulary else ["No vocabulary was given; classes have numbers alone."]
    sections = [("Model", about), ("Classes", named)]
    return card.card(path.stem, opening, sections, made, card.OTHER_LICENCE)
