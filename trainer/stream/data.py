"""What a run trains on: its label sets, their samples in the order of the plan, and who reads them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from trainer.config import Config
from trainer.distributed import World
from trainer.objectives.kinds import kind_of
from trainer.stream.loader import DataConfig
from trainer.stream.plan import make_plan
from trainer.stream.reader import StepReader
from trainer.stream.samples import Samples
from trainer.stream.shardcache import ShardCache
from trainer.stream.steps import Steps


@dataclass(frozen=True, kw_only=True)
class Data:
    """What is trained on: the label sets, who reads them, and their classes' frequencies, float64 [K]."""

    label_sets: list[LabelSet]
    reader: StepReader
    prior_K: np.ndarray

    @classmethod
    def open(cls, config: Config, labels: Sequence[str], world: World, moved: dict[str, str] | None) -> "Data":
        """The label sets in the folders `labels`. Raises CatlipError for settings that do not fit them."""
        plan_config = config.plan
        plan_config.check(len(labels), world.size, config.model.image_size)
        label_sets = [LabelSet.open(folder) for folder in labels]
        tokenizer = kind_of(config).tokenizer(config)
        if tokenizer:
            _check_captions(label_sets, config.objective)
        samples = Samples(label_sets, unlabelled=plan_config.unlabelled, moved=moved)
        counts = samples.counts()
        plan = make_plan(counts, seed=config.seed, window_shards=plan_config.window_shards, weights=plan_config.weights)
        shares = plan_config.weights or [float(each.sum()) for each in counts]
        reader = StepReader(
            samples=Samples(
                label_sets,
                unlabelled=plan_config.unlabelled,
                moved=moved,
                # Where a window ends, a batch has samples of the next one, too.
                max_shards=2 * plan_config.window_shards * len(labels),
                cache=_cache(config.data, samples, counts),
            ),
            plan=plan,
            steps=Steps(
                plan_config, image_size=config.model.image_size, num_samples=plan.num_samples, seed=config.seed
            ),
            seed=config.seed,
            min_scale=config.data.min_scale,
            rank=world.rank,
            world_size=world.size,
            tokenizer=tokenizer,
        )
        prior_K = class_prior(label_sets, shares, labelled_only=plan_config.unlabelled == "drop")
        return cls(label_sets=label_sets, reader=reader, prior_K=prior_K)


def class_prior(label_sets: Sequence[LabelSet], weights: Sequence[float], *, labelled_only: bool) -> np.ndarray:
    """float64 [K]: the share of samples that carry each class, where each label set has the share `weights` gives it.

    A vocabulary's support may come from another corpus, so it gives the proportions between classes, and each label
    set's own number of labels per sample the level; for a vocabulary of its own this is support / samples.
    """
    support = label_sets[0].vocabulary.support.astype(np.float64)
    level = 0.0
    for label_set, weight in zip(label_sets, weights, strict=True):
        totals = label_set.manifest.totals
        samples = totals.labelled if labelled_only else totals.samples
        level += weight / sum(weights) * totals.labels / max(1, samples)
    prior: np.ndarray = support * (level / max(1.0, support.sum()))
    return prior


def _check_captions(label_sets: Sequence[LabelSet], objective: str) -> None:
    """Raise CatlipError for a label set whose captions were not kept."""
    for label_set in label_sets:
        if not label_set.manifest.with_captions:
            raise CatlipError(
                f"{label_set.root} keeps no captions, from which objective = {objective!r} learns. Build it again with "
                "--keep-captions."
            )


def _cache(config: DataConfig, samples: Samples, counts: Sequence[np.ndarray]) -> ShardCache | None:
    """A cache, if some label set's images are remote: as its first shard's are, so are all of them."""
    first = 0
    for each in counts:
        used = np.flatnonzero(each)
        if len(used) and not all(storage.is_local(file.uri) for file in samples.files(first + int(used[0]))):
            folder = Path(config.cache) if config.cache else Path(tempfile.gettempdir()) / "catlip-shards"
            return ShardCache(folder, int(config.cache_gib * 2**30))
        first += len(each)
    return None
