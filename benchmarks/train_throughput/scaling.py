"""Two processes that share a run, against two runs that share nothing, on the same two cores, turn by turn."""

import multiprocessing
import os
import socket
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.train_throughput.losses import K
from benchmarks.train_throughput.measuring import Measured

BATCH, SIZE, MODEL = 16, 224, "vit_tiny_patch16_224"
PAIRS = ("two independent runs", "ddp", "fsdp")
_SETTINGS = [f"model.name={MODEL}", f"model.image_size={SIZE}", "plan.steps=1000"]
_STEPS_A_TURN = 2


def pairs(num_rounds: int) -> dict[str, list[Measured]]:
    """Seconds of a step in the slower of two processes, for each of PAIRS; by the clock, as waiting is what matters."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_work, rank, port, num_rounds) for rank in range(2)]
        both = zip(*(future.result() for future in futures), strict=True)
    slower = [[Measured(max(seconds)) for seconds in zip(*turns, strict=True)] for turns in both]
    return dict(zip(PAIRS, slower, strict=True))


def _work(rank: int, port: int, num_rounds: int) -> list[list[float]]:
    """One of the two: seconds of a step, by variant and round."""
    os.environ |= {"OMP_NUM_THREADS": "1", "RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    import numpy as np
    import torch

    from trainer.config import load
    from trainer.distributed import World, joined, wait_for_all
    from trainer.stream.batch import Batch
    from trainer.stream.steps import Steps
    from trainer.training.assembly import assemble
    from trainer.training.stepper import Stepper

    torch.set_num_threads(1)
    batch = Batch(
        images_BCHW=torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8),
        flips_B=torch.zeros(BATCH, dtype=torch.bool),
        values_P=torch.randint(0, K, (3 * BATCH,), dtype=torch.int32),
        offsets=torch.arange(0, 3 * BATCH + 1, 3, dtype=torch.int32),
        tokens_BT=torch.empty((BATCH, 0), dtype=torch.int32),
        bad=(),
    )
    with joined() as world:
        steppers = []
        for name in PAIRS:
            own = World(device=world.device) if name == PAIRS[0] else world
            strategy = ["distributed.strategy=fsdp"] if name == "fsdp" else []
            config = load(None, [*_SETTINGS, *strategy, f"plan.batch_size={BATCH * own.size}"])
            steps = Steps(config.plan, image_size=SIZE, num_samples=1, seed=0)
            steppers.append(Stepper(assemble(config, np.full(K, 1e-3), [SIZE], own), steps))
        seconds: list[list[float]] = [[] for _ in PAIRS]
        for turn in range(1 + num_rounds):
            for step, mine in zip(steppers, seconds, strict=True):
                wait_for_all(world)
                start = time.perf_counter()
                for number in range(_STEPS_A_TURN):
                    step(turn * _STEPS_A_TURN + number, batch)
                mine.append((time.perf_counter() - start) / _STEPS_A_TURN)
    return [mine[1:] for mine in seconds]  # the first turn warms up
