"""The tasks by name: what a person may ask for, and who makes the plans of it."""

from collections.abc import Callable

from trainer.probes import fewshot, knn, linear, multilabel, zeroshot
from trainer.probes.plans import Asked, Plan

TASKS: dict[str, Callable[[Asked], list[Plan]]] = {
    "linear": linear.plans,
    "knn": knn.plans,
    "fewshot": fewshot.plans,
    "multilabel": multilabel.plans,
    "zeroshot": zeroshot.plans,
}
