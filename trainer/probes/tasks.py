"""The tasks by name: what a person may ask for, and who makes the probes of it."""

from collections.abc import Callable

from trainer.probes import fewshot, knn, linear, multilabel, zeroshot
from trainer.probes.detect import task as detect
from trainer.probes.finetune import task as finetune
from trainer.probes.probe import Asked, Probe
from trainer.probes.segment import task as segment

TASKS: dict[str, Callable[[Asked], list[Probe]]] = {
    "linear": linear.probes,
    "knn": knn.probes,
    "fewshot": fewshot.probes,
    "multilabel": multilabel.probes,
    "zeroshot": zeroshot.probes,
    "finetune": finetune.probes,
    "segment": segment.probes,
    "detect": detect.probes,
}
