"""What a fine-tuned model says of all pictures of a split, the processes sharing them.

Shapes: N pictures, B of a batch.
"""

from collections import Counter

import numpy as np
import torch

from trainer import workers
from trainer.distributed import World, on_all
from trainer.encoders.encoder import Encoder
from trainer.probes import accuracy
from trainer.probes.data.split import Pictures
from trainer.probes.features import BATCH_SIZE, Cropped, broken_of
from trainer.probes.tables import DONE


@torch.inference_mode()
def ranked(encoder: Encoder, pictures: Pictures, world: World) -> tuple[np.ndarray, np.ndarray, Counter[str]]:
    """(ranked classes, int64 [N, up to 5]; which pictures could be read, int64 [N]; the others by reason).

    All ranks must call this, and get the same.
    """
    model = encoder.model.eval().to(encoder.device)
    starts = range(world.rank * BATCH_SIZE, len(pictures), world.size * BATCH_SIZE)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    data = Cropped(pictures=pictures, picture=encoder.picture)
    batches = workers.parallel(data, starts, encoder.device, world.ranks_here)
    for start, (images_BCHW, codes_B) in zip(starts, batches, strict=True):
        x_BCHW = encoder.picture.to_input(images_BCHW.to(encoder.device))
        found.append((start + np.arange(len(codes_B)), codes_B.numpy(), accuracy.rank(model(x_BCHW)).numpy()))
    parts = [part for each in on_all(found, world) for part in each]
    rows, codes, ranked_N5 = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(rows)  # batches were dealt to the ranks in turn
    rows, codes, ranked_N5 = rows[order], codes[order], ranked_N5[order]
    read = codes == DONE
    return ranked_N5[read], rows[read], broken_of(codes)
