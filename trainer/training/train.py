"""`catlip train` without its terminal: from a label set to a finished, interrupted or resumed run."""

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from pathlib import Path

from labelshards import storage
from trainer import run
from trainer.config import Config, refuse_unknown
from trainer.distributed import World, wait_for_all
from trainer.stream.data import Data
from trainer.training.assembly import assemble, check
from trainer.training.evaluation import Evaluation
from trainer.training.session import Outcome, Session, Watcher


def train(
    config: Config,
    *,
    labels: Sequence[str],
    out: Path,
    world: World,
    watcher: Watcher,
    moved: dict[str, str] | None = None,
    allow_change: Collection[str] = (),
) -> Outcome:
    """Train, or go on training, the run in folder `out` on the label sets `labels`.

    `moved` maps prefixes of image URIs to where they lie now. `allow_change` names settings that may be others than in
    the steps done so far. Raises CatlipError for everything a person can mend.
    """
    refuse_unknown((key for key in allow_change if key != run.LABELS_KEY), "--allow-change")
    data = Data.open(config, labels, world, moved)
    steps = data.reader.steps
    check(config, steps, world.size)  # before anything is written
    vocabulary = data.label_sets[0].vocabulary
    narrow = config.loop.narrow(world.device)
    evaluation = Evaluation.open(config.eval, config.model, narrow, vocabulary.digest, world, moved)
    record = run.RunRecord(
        config=config,
        label_sets=[storage.absolute(folder) for folder in labels],
        vocabulary_digest=vocabulary.digest,
        labels_digest=run.labels_digest(data.label_sets),
        num_classes=len(vocabulary),
        num_samples=data.reader.plan.num_samples,
        num_steps=steps.num_steps,
        num_processes=world.size,
        device=str(world.device),
        versions=run.versions(),
    )
    record = run.continued(out, record, allow_change)
    assembly = assemble(config, data.prior_K, steps.image_sizes(), world)
    wait_for_all(world)  # until all have looked at the folder, in which the main rank writes from here on
    with run.writing(out) if world.is_main else nullcontext():
        session = Session(
            record=record,
            data=data,
            out=out,
            world=world,
            assembly=assembly,
            evaluation=evaluation,
            watcher=watcher,
        )
        return session.train()
