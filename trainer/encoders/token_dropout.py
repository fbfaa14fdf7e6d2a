"""Token dropout (FLIP, arXiv 2212.00794): patches that a ViT does not see in training, in each phase another share."""

from timm.layers.patch_dropout import PatchDropout
from torch import nn

from labelshards.errors import CatlipError
from trainer.encoders.models import ModelConfig
from trainer.stream.steps import Phase, PlanConfig


def share_of(phase: Phase | None, config: ModelConfig) -> float:
    """What a phase drops, or else what `model.kwargs` say of the whole run."""
    if phase is None or phase.token_dropout is None:
        return float(config.kwargs.get("patch_drop_rate", 0.0))
    return phase.token_dropout


def changes(plan: PlanConfig) -> bool:
    """True if some phase has a share of its own."""
    return any(phase.token_dropout is not None for phase in plan.phases)


def set_share(encoder: nn.Module, share: float) -> None:
    """Let an encoder in training see all but this share of its patches, drawn for each picture.

    Raises CatlipError if it is none of timm's ViTs, which have a place for it between embedding and blocks.
    """
    found = getattr(encoder, "patch_drop", None)
    if isinstance(found, PatchDropout):
        found.prob = share
    elif isinstance(found, nn.Identity):
        prefix: int = encoder.num_prefix_tokens  # type: ignore[assignment]
        encoder.patch_drop = PatchDropout(share, num_prefix_tokens=prefix)
    else:
        raise CatlipError("plan.phases: this encoder has no token_dropout, which is for ViTs. Leave it out.")
