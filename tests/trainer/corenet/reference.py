"""CoreNet's ViT for classification, written out from its layout: random weights, and what they compute.

Shapes: B pictures of S x S pixels, N patches, D features, H heads of 64.
"""

import torch
import torch.nn.functional as F

State = dict[str, torch.Tensor]


def random_state(width: int, depth: int, num_classes: int, *, flash: bool = True, device: str = "cpu") -> State:
    """Tensors of the published layout; `flash`: with the names that flash attention gives."""
    state: State = {}

    def add(name: str, *shape: int, around: float = 0.0) -> None:
        state[name] = torch.randn(*shape, device=device) * 0.1 + around

    def add_norm(name: str, size: int) -> None:
        add(f"{name}.weight", size, around=1.0)
        add(f"{name}.bias", size)

    def add_linear(name: str, before: int, after: int) -> None:
        state[f"{name}.weight"] = torch.randn(after, before, device=device) / before**0.5
        add(f"{name}.bias", after)

    stem = width // 4
    for number, (before, kernel) in enumerate(((3, 4), (stem, 2))):
        add(f"patch_emb.{number}.block.conv.weight", stem, before, kernel, kernel)
        add_norm(f"patch_emb.{number}.block.norm", stem)
        add(f"patch_emb.{number}.block.norm.running_mean", stem)
        state[f"patch_emb.{number}.block.norm.running_var"] = torch.rand(stem, device=device) + 0.5
        state[f"patch_emb.{number}.block.norm.num_batches_tracked"] = torch.tensor(7, device=device)
    add("patch_emb.2.block.conv.weight", width, stem, 2, 2)
    add("patch_emb.2.block.conv.bias", width)
    add("cls_token", 1, 1, width)
    add("pos_embed.pos_embed.pos_embed", 1, 1, 14 * 14, width, around=0.2)
    for number in range(depth):
        block = f"transformer.{number}"
        add_norm(f"{block}.pre_norm_mha.0", width)
        add_linear(f"{block}.pre_norm_mha.1.qkv_proj", width, 3 * width)
        add_linear(f"{block}.pre_norm_mha.1.out_proj{'_attn' if flash else ''}", width, width)
        add_norm(f"{block}.pre_norm_ffn.0", width)
        add_linear(f"{block}.pre_norm_ffn.1", width, 4 * width)
        add_linear(f"{block}.pre_norm_ffn.4", 4 * width, width)
    add_norm("post_transformer_norm", width)
    add_linear("classifier", width, num_classes)
    for name in ("brightness", "contrast", "noise"):
        add(f"neural_augmentor.{name}._low", 1)
    return state


def forward(state: State, x_BCHW: torch.Tensor) -> torch.Tensor:
    """Logits [B, K]."""
    x = x_BCHW
    for number, (stride, padding) in enumerate(((4, 1), (2, 0))):
        layer = f"patch_emb.{number}.block"
        x = F.conv2d(x, state[f"{layer}.conv.weight"], stride=stride, padding=padding)
        mean, var = (state[f"{layer}.norm.running_{kind}"][:, None, None] for kind in ("mean", "var"))
        weight, bias = (state[f"{layer}.norm.{kind}"][:, None, None] for kind in ("weight", "bias"))
        x = F.gelu((x - mean) / (var + 1e-5).sqrt() * weight + bias)
    x = F.conv2d(x, state["patch_emb.2.block.conv.weight"], state["patch_emb.2.block.conv.bias"], stride=2)
    x_BND = x.flatten(2).transpose(1, 2)
    batch, patches, width = x_BND.shape
    positions = state["pos_embed.pos_embed.pos_embed"]
    if patches != positions.shape[2]:
        positions = F.interpolate(positions, size=(patches, width), mode="bilinear")
    x_BND = torch.cat([state["cls_token"].expand(batch, -1, -1), x_BND + positions[0]], dim=1)
    for number in range(len({name.split(".")[1] for name in state if name.startswith("transformer.")})):
        x_BND = _block(state, f"transformer.{number}", x_BND)
    token_BD = _norm(state, "post_transformer_norm", x_BND)[:, 0]
    return _linear(state, "classifier", token_BD)


def _block(state: State, block: str, x_BND: torch.Tensor) -> torch.Tensor:
    batch, tokens, width = x_BND.shape
    heads = width // 64
    qkv = _linear(state, f"{block}.pre_norm_mha.1.qkv_proj", _norm(state, f"{block}.pre_norm_mha.0", x_BND))
    q, k, v = (each.reshape(batch, tokens, heads, 64).transpose(1, 2) for each in qkv.chunk(3, dim=-1))
    weights = (q @ k.transpose(-2, -1) * 64**-0.5).softmax(-1)
    mixed = (weights @ v).transpose(1, 2).reshape(batch, tokens, width)
    out = "out_proj_attn" if f"{block}.pre_norm_mha.1.out_proj_attn.weight" in state else "out_proj"
    x_BND = x_BND + _linear(state, f"{block}.pre_norm_mha.1.{out}", mixed)
    inner = F.gelu(_linear(state, f"{block}.pre_norm_ffn.1", _norm(state, f"{block}.pre_norm_ffn.0", x_BND)))
    return x_BND + _linear(state, f"{block}.pre_norm_ffn.4", inner)


def _norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)


def _linear(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])
