"""Features of pictures as a column.

Shapes: B pictures, D features.
"""

from collections.abc import Sequence

import pyarrow as pa
import torch

from trainer.encoders import models
from trainer.encoders.encoder import Encoder
from trainer.pictures.work import Work


def embedding(encoder: Encoder) -> Work:
    """The work of embedding: column `features`, float16 [D] a picture, the pooled output in front of the head."""
    size = encoder.picture.image_size
    encoder.model.to(encoder.device)
    with torch.inference_mode():
        width = models.features(encoder.model, torch.zeros(1, 3, size, size, device=encoder.device)).shape[1]

    def compute(x_BCHW: torch.Tensor) -> Sequence[pa.Array]:
        features_BD = models.half(models.features(encoder.model, x_BCHW)).cpu()
        return [pa.FixedSizeListArray.from_arrays(pa.array(features_BD.numpy().ravel()), width)]

    columns = pa.schema([pa.field("features", pa.list_(pa.float16(), width))])
    return Work(encoder=encoder, columns=columns, settings={"features": "pooled"}, compute=compute)
