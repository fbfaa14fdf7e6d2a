"""Tagged pictures on a sheet."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from labelshards.vocabulary import Vocabulary
from trainer.sheet import Prediction, Sheet
from trainer.tagging.album import Album
from trainer.tagging.picking import Tagged


def draw(pictures: Sequence[Tagged], album: Album, vocabulary: Vocabulary, *, title: str, credit: str) -> Image.Image:
    """The pictures with their names and their likeliest tags; those that are not there any more are left out."""
    class_of = {synset: class_id for class_id, synset in enumerate(vocabulary.synsets)}
    predictions = []
    for picture in pictures:
        pixels_CHW = album.pixels(picture)
        if pixels_CHW is None:
            continue
        probabilities_K = np.zeros(len(vocabulary), np.float32)
        for tag in picture.tags:
            probabilities_K[class_of[tag.synset]] = tag.probability
        predictions.append(
            Prediction(pixels_CHW=pixels_CHW, captions=[picture.key], labels=None, probabilities_K=probabilities_K)
        )
    return Sheet(title=title, names=vocabulary.names, credit=credit).draw(predictions)
