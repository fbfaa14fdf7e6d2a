"""Zero-shot by prompts: the names of the data's classes, written as captions, score pictures through a text tower.

Shapes: B pictures, D features, C classes of the data, E numbers of an embedding.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from labelshards.errors import CatlipError
from trainer.objectives.texts import PROMPT, TextSide, classifier
from trainer.settings import read_overrides, refuse_unknown

_TASK, _SETTING = "zeroshot", "templates"
# Ids of ImageNet, and senses of WordNet, whose words stand in front.
_WNID = re.compile(r"[nvasr]\d{8}")
_SENSE = re.compile(r"(\S+)\.[nvasr]\.\d\d")


def templates(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """(what they are called, the prompts) of `--set zeroshot.templates=…`, each with `{}` for the name.

    It takes one, a list of them, or `simple` (7) and `imagenet` (80), those of CLIP. Raises CatlipError for another
    setting, and for a prompt without a place for the name.
    """
    found: Any = PROMPT
    for key, value in read_overrides(overrides):
        if key.partition(".")[0] == _TASK:
            refuse_unknown([key], [f"{_TASK}.{_SETTING}"], "--set")
            found = value
    if found in ("simple", "imagenet"):
        import open_clip

        lists = {"simple": open_clip.SIMPLE_IMAGENET_TEMPLATES, "imagenet": open_clip.OPENAI_IMAGENET_TEMPLATES}
        return str(found), [template("{}") for template in lists[str(found)]]
    written = found if isinstance(found, list) else [found]
    wrong = [each for each in written if not isinstance(each, str) or each.count("{}") != 1]
    if wrong or not written:
        raise CatlipError(
            f"--set {_TASK}.{_SETTING}: {wrong[0] if wrong else ''!r} has no single {{}} for a class's name. Write it "
            f"as {PROMPT!r}, or take simple or imagenet."
        )
    called: str = written[0] if len(written) == 1 else f"{len(written)} templates"
    return called, written


def words(names: Sequence[str]) -> list[str]:
    """What a caption would say: the first of a class's names. Raises CatlipError for bare ids."""
    if ids := [name for name in names if _WNID.fullmatch(name)]:
        raise CatlipError(
            f"The data's classes are called by ids ({ids[0]}, …), of which a text tower knows nothing. Rename their "
            "folders to words."
        )
    firsts = [_SENSE.sub(r"\1", name.split(",")[0]) for name in names]
    return [first.replace("_", " ").strip() for first in firsts]


def scorer(texts: TextSide, names: Sequence[str], written: Sequence[str]) -> Callable[[torch.Tensor], torch.Tensor]:
    """float32 features [B, D] → cosines with the classes' names in these prompts, float32 [B, C]."""
    classes_CE = classifier(texts, words(names), written)
    return lambda features_BD: texts.project(features_BD) @ classes_CE.T
