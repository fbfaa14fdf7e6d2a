"""CPU seconds of a step of each arm, all arms turn by turn, so that what else the machine does falls on all.

The study's time axis is made of these, and not of the clock that its runs took, which depends on what ran beside them.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from benchmarks.study import label_sets
from benchmarks.study.arms import Arm
from benchmarks.study.place import Study
from benchmarks.study.running import Length, recipe, settings_of
from benchmarks.train_throughput.measuring import alone
from labelshards import storage
from trainer.config import Config, load
from trainer.distributed import World
from trainer.objectives.text import TextConfig
from trainer.stream import loader
from trainer.stream.data import Data
from trainer.training.assembly import assemble
from trainer.training.stepper import Stepper

# ViT-B-16's text tower is too large for a whole step of the study, so that is computed: by a line through smaller ones.
_OWN_TOWER_BATCHES = (4, 12)
_ALONE = World(device=torch.device("cpu"))


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of one kind, from the run's step `first` on. seconds: CPU, of one step, in each turn. reading: the same of
    its pictures and captions, once.
    """

    first: int
    image_size: int
    seconds: list[float]
    reading: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm's steps take. own_tower: seconds of a step with the text tower of ViT-B-16; None without a tower."""

    stages: list[Stage]
    own_tower: float | None = None

    def seconds_until(self, step: int, *, own_tower: bool = False, reading: bool = False) -> float:
        """CPU seconds of the first `step` steps, a step taking the least that it was seen to take."""
        total = 0.0
        ends = [*(stage.first for stage in self.stages[1:]), step]
        for stage, end in zip(self.stages, ends, strict=True):
            each = self.own_tower if own_tower and self.own_tower else min(stage.seconds)
            total += max(0, min(end, step) - stage.first) * (each + (stage.reading if reading else 0.0))
        return total

    def spread(self) -> str:
        """Milliseconds of a step, stage by stage: the least, and in brackets the median."""
        return ", then ".join(
            f"{1e3 * min(stage.seconds):,.0f} ({1e3 * statistics.median(stage.seconds):,.0f})" for stage in self.stages
        )


class Case(NamedTuple):
    """An arm as another process can be told it. settings: on top of the recipe. labels: a label set."""

    name: str
    recipe: Path
    settings: list[str]
    labels: Path


def measure(study: Study, arms: Sequence[Arm], length: Length, num_rounds: int) -> dict[str, Cost]:
    """Costs by arm's name: those that are known, and the missing ones, which are measured now, beside each other."""
    path = study.out / "costs.json"
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, Cost]) if path.is_file() else {}
    missing = [arm for arm in arms if arm.name not in known]
    if missing:
        print(f"Measuring a step of {', '.join(arm.name for arm in missing)}", flush=True)
        cases = [
            Case(arm.name, recipe(arm), settings_of(study, arm, length), label_sets.folder(study, arm.labels))
            for arm in missing
        ]
        known |= alone(measure_cases, cases, num_rounds)
        storage.write_bytes(str(path), msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")
    return known


def measure_cases(cases: Sequence[Case], num_rounds: int) -> dict[str, Cost]:
    """One turn of every kind of step warms up, `num_rounds` more are measured."""
    torch.set_num_threads(1)
    own = {case.name: _own_tower(load(case.recipe, case.settings), case.labels, num_rounds) for case in cases}
    stages = {case.name: _stages(load(case.recipe, case.settings), case.labels) for case in cases}
    for _ in range(1 + num_rounds):
        for steps in stages.values():
            for step in steps:
                step.turn()
    return {
        name: Cost(
            stages=[
                Stage(first=step.first, image_size=step.image_size, seconds=step.seconds[1:], reading=step.reading)
                for step in steps
            ],
            own_tower=own[name],
        )
        for name, steps in stages.items()
    }


class _Timed:
    """Step `first` of a run, to be done again and again. seconds: CPU, of each time."""

    def __init__(self, config: Config, data: Data, first: int) -> None:
        steps = data.reader.steps
        self.first = first
        _, self.batch_size, self.image_size = steps[first]
        for _ in range(2):  # the first time opens files, and reads the tokenizer's table
            start = time.process_time()
            [self._batch] = loader.batches(data.reader, range(first, first + 1), num_workers=0, pin_memory=False)
            self.reading = time.process_time() - start
        self._step = Stepper(assemble(config, data.prior_K, steps.image_sizes(), _ALONE), steps)
        self.seconds: list[float] = []

    def turn(self) -> None:
        """Do it once."""
        start = time.process_time()
        self._step(self.first, self._batch)
        self.seconds.append(time.process_time() - start)


def _stages(config: Config, labels: Path) -> list[_Timed]:
    data = Data.open(config, [str(labels)], _ALONE, None)
    steps = data.reader.steps
    firsts = [step for step in range(steps.num_steps) if step == 0 or steps.phase(step) != steps.phase(step - 1)]
    return [_Timed(config, data, first) for first in firsts]


def _own_tower(config: Config, labels: Path, num_rounds: int) -> float | None:
    """Seconds of a step with the text tower as open_clip has it, by the line through two sizes; None without a tower.

    One after the other: each takes more than a GiB.
    """
    if config.objective == "catlip":
        return None
    found = []
    for batch_size in _OWN_TOWER_BATCHES:
        plan = msgspec.structs.replace(config.plan, batch_size=batch_size)
        own = msgspec.structs.replace(config, plan=plan, text=TextConfig(model=config.text.model))
        step = _Timed(own, Data.open(own, [str(labels)], _ALONE, None), 0)
        for _ in range(1 + num_rounds):
            step.turn()
        found.append(min(step.seconds[1:]))
        del step  # before the next one is made
    (small, large), (low, high) = _OWN_TOWER_BATCHES, found
    return low + (high - low) / (large - small) * (config.plan.batch_size - small)
