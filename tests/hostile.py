"""Weights as somebody who means harm would write them."""

from pathlib import Path

import torch


def touch_when_loaded(path: Path, touched: Path) -> None:
    """A checkpoint whose pickle makes the file `touched`, if whoever reads it lets it call what it names."""

    class Touching:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(touched),)

    torch.save({"state_dict": {"cls_token": Touching()}}, path)
