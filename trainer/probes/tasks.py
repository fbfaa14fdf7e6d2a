"""The tasks by name: what a person may ask for, and who makes the plans of it."""

from collections.abc import Callable

from trainer.probes import fewshot, knn, linear, multilabel, zeroshot
from trainer.probes.detect import task as detect
from trainer.probes.finetune import task as finetune
from trainer.probes.plans import Asked, Plan
from trainer.probes.segment import task as segment

TASKS: dict[str, Callable[[Asked], list[Plan]]] = {
    "linear": linear.plans,
    "knn": knn.plans,
    "fewshot": fewshot.plans,
    "multilabel": multilabel.plans,
    "zeroshot": zeroshot.plans,
    "finetune": finetune.plans,
    "segment": segment.plans,
    "detect": detect.plans,
}
