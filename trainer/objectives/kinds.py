"""The objectives by the names that recipes give them."""

from typing import TYPE_CHECKING

from trainer.objectives.catlip import Labels
from trainer.objectives.clip import CLIP
from trainer.objectives.kind import Kind
from trainer.objectives.siglip import SIGLIP

if TYPE_CHECKING:
    from trainer.config import Config

KINDS: dict[str, Kind] = {"catlip": Labels(), "clip": CLIP, "siglip": SIGLIP}


def kind_of(config: "Config") -> Kind:
    """The objective of a recipe."""
    return KINDS[config.objective]
