"""Zero-shot: classes of the data scored without any training, by what their names mean to the encoder.

To a label head a name means classes of its vocabulary; a text tower reads it in a prompt. Both are measured alike.

Shapes: N pictures, D features, C classes of the data, B pictures of a batch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from labelshards.errors import CatlipError
from labelshards.matching import Match
from trainer import label_metrics
from trainer.probes import accuracy, prompts
from trainer.probes.data.split import Split
from trainer.probes.examples import Features
from trainer.probes.labelhead import label_head
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick

AS_TRAINED, FREQUENCY_REMOVED = "as trained", "frequency removed"
_BATCH = 1024

# float32 [B, D] → float32 [B, C], -inf for a class that it cannot score.
FeatureScorer = Callable[[torch.Tensor], torch.Tensor]


def probes(asked: Asked) -> list[Probe]:
    """The probe by prompts, or of an encoder without a text tower through its vocabulary.

    Raises CatlipError if no class of the data has a match in the vocabulary.
    """
    if asked.opened.texts:
        called, written = prompts.templates(asked.overrides)
        scorer = prompts.scorer(asked.opened.texts, asked.splits[0].classes, written)
        return [probe("prompts", {called: scorer}, settings={"templates": written})]
    if told := [each for each in asked.overrides if each.startswith("zeroshot.")]:
        raise CatlipError(f"--set {told[0]} is for models with a text tower; {asked.opened.facts.name} has none.")
    head, vocabulary = label_head(asked.opened, "zeroshot")
    matches = asked.match(asked.splits[0].classes, vocabulary)
    if not any(match.class_ids for match in matches):
        raise CatlipError(
            f"None of the data's {len(matches):,} classes ({matches[0].name!r}, …) has a match in the vocabulary of "
            f"{asked.opened.facts.name}. Classes are matched by name, ImageNet id or synset."
        )
    scorers = {
        AS_TRAINED: partial(head.scores, matches=matches, by_frequency=True),
        FREQUENCY_REMOVED: partial(head.scores, matches=matches, by_frequency=False),
    }
    return [probe("vocabulary", scorers, matches)]


def probe(
    protocol: str,
    scorers: Mapping[str, FeatureScorer],
    matches: Sequence[Match] = (),
    settings: Mapping[str, object] | None = None,
) -> Probe:
    """One line for each scorer, by the name of its setting."""
    return Probe(
        task="zeroshot",
        protocol=protocol,
        settings={"scores": list(scorers), **(settings or {})},
        run=partial(_run, scorers),
        matches=matches,
        labels="any",
        trains=False,
        seeded=False,
        beside_random=False,
    )


def _run(scorers: Mapping[str, FeatureScorer], case: Case, _seed: int, tick: Tick) -> list[Measured]:
    assert case.features is not None, "the probe has a tap"
    test, split = case.features[1], case.splits[1]
    if split.multilabel:
        # How a class orders pictures is the same whatever is added to all its scores: the first scorer says all.
        setting, scorer = next(iter(scorers.items()))
        return [_ranking(setting, _scores(scorer, test), split, test.rows)]
    found = []
    for done, (setting, scorer) in enumerate(scorers.items(), 1):
        found.append(_naming(setting, _scores(scorer, test), split, test.rows))
        tick(done, len(scorers))
    return found


def _naming(setting: str, scores_NC: torch.Tensor, split: Split, rows: np.ndarray) -> Measured:
    """Of pictures with one class: how often it is named. A class that cannot be scored is never named."""
    class_ids = split.class_ids[rows]
    ranked_N5 = accuracy.rank(scores_NC)
    ranked_N5[scores_NC.gather(1, ranked_N5).isneginf()] = -1
    measured = Measured.of(setting, accuracy.measure(ranked_N5.numpy(), class_ids, len(split.classes)))
    matched_N = torch.isfinite(scores_NC[0]).numpy()[class_ids]  # a class without a match has -inf in every row
    right_N = ranked_N5[:, 0].numpy() == class_ids
    measured.metrics["top1_of_matched"] = float(right_N[matched_N].mean()) if matched_N.any() else 0.0
    return measured


def _ranking(setting: str, scores_NC: torch.Tensor, split: Split, rows: np.ndarray) -> Measured:
    """Of pictures with any number of classes: how well each orders them; one that cannot be scored orders none."""
    ordered_NC = scores_NC.nan_to_num(neginf=0.0).numpy()  # any number does, as long as it is one
    per_class = label_metrics.average_precisions(ordered_NC, split.truth(rows))
    return Measured(setting=setting, metrics={"mAP": float(np.nanmean(per_class))}, per_class=per_class)


def _scores(scorer: FeatureScorer, test: Features) -> torch.Tensor:
    pieces = [scorer(test.features(slice(start, start + _BATCH))) for start in range(0, len(test), _BATCH)]
    return torch.cat(pieces)
