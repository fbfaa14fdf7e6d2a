"""The text tower and its tokenizer, both of open_clip (extra `baselines`): captions → tokens → embeddings.

Shapes: N texts, T tokens each, E of the space that pictures and texts share.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np
from torch import nn

from labelshards.errors import CatlipError

Count = Annotated[int, msgspec.Meta(ge=1)]
_SHAPE = ("width", "heads", "layers", "context_length")


class TextConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[text]`: the text tower of clip and siglip; catlip has none.

    model: of open_clip, whose text tower and tokenizer are taken, not their weights. width, heads, layers,
    context_length (tokens of a caption; longer ones are cut), embed_dim (of the space that pictures and texts share):
    where given, other ones than the model's.
    """

    model: str = "ViT-B-16"
    width: Count | None = None
    heads: Count | None = None
    layers: Count | None = None
    context_length: Annotated[int, msgspec.Meta(ge=3)] | None = None
    embed_dim: Count | None = None


@dataclass(frozen=True)
class TextSettings:
    """A `TextConfig` with what open_clip knows of its model. tower: fields of open_clip's CLIPTextCfg."""

    tower: dict[str, Any]
    embed_dim: int
    quick_gelu: bool

    @classmethod
    def of(cls, config: TextConfig) -> "TextSettings":
        """Raises CatlipError for a model that open_clip does not know, or whose texts it cannot read by itself."""
        import open_clip

        found = open_clip.get_model_config(config.model)
        if found is None:
            near = difflib.get_close_matches(config.model, open_clip.list_models(), n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ". `open_clip.list_models()` lists them."
            raise CatlipError(f"text.model: open_clip has no model {config.model!r}{hint}")
        tower = found["text_cfg"]  # open_clip gave a copy
        if {"hf_model_name", "hf_tokenizer_name"} & tower.keys():
            raise CatlipError(
                f"text.model = {config.model!r} reads texts with a tokenizer that open_clip does not have itself. "
                "Take another one, for example ViT-B-16."
            )
        tower |= {name: value for name in _SHAPE if (value := getattr(config, name)) is not None}
        width, heads = tower.get("width", 512), tower.get("heads", 8)  # as CLIPTextCfg begins
        if width % heads:
            raise CatlipError(f"text.width = {width} is no multiple of text.heads = {heads}.")
        return cls(tower, config.embed_dim or found["embed_dim"], found.get("quick_gelu", False))


def build_text(config: TextConfig) -> nn.Module:
    """A text tower with fresh weights from torch's global generator: int [N, T] → float [N, E], not normalised."""
    from open_clip.model import _build_text_tower  # open_clip makes one without an image tower nowhere else

    settings = TextSettings.of(config)
    tower: nn.Module = _build_text_tower(settings.embed_dim, settings.tower, settings.quick_gelu)
    return tower


@dataclass(frozen=True)
class Tokenizer:
    """Texts → int32 [N, T]: start, words, end, zeros. It can be sent to another process."""

    model: str
    context_length: int

    @classmethod
    def of(cls, config: TextConfig) -> "Tokenizer":
        """The tokenizer of a text tower."""
        return cls(config.model, int(TextSettings.of(config).tower.get("context_length", 77)))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """The tokens of texts."""
        tokens: np.ndarray = self._tokenizer(list(texts)).numpy().astype(np.int32)
        return tokens

    def __getstate__(self) -> dict[str, object]:
        """Without the table of words, which every process reads for itself."""
        return {"model": self.model, "context_length": self.context_length}

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401  (open_clip has no types)
        import open_clip

        return open_clip.get_tokenizer(self.model, context_length=self.context_length)
