"""Two ranks, each with its share of the same embeddings: losses and gradients of ours and of open_clip's."""

import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.trainer.objectives.embeddings import PAIRS, Problem, gradients, theirs
from trainer.distributed import joined
from trainer.stream.plan import share_sizes


def main(out: Path) -> None:
    warnings.simplefilter("ignore")  # open_clip gathers by what torch has deprecated
    with joined() as world:
        for kind, pairs in PAIRS.items():
            for batch_size in (8, 7):
                first = sum(share_sizes(batch_size, 2)[: world.rank])
                rows = slice(first, first + share_sizes(batch_size, 2)[world.rank])
                problem = Problem.of(batch_size).part(rows)
                found = {"ours": gradients(problem, pairs.loss, batch_size / 2, world)}
                if batch_size % 2 == 0:
                    found["theirs"] = gradients(problem, theirs(kind, world), batch_size / 2, world)
                for name, tensors in found.items():
                    save_file(tensors, out / f"{kind}-{batch_size}-{name}-{world.rank}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
