from pathlib import Path

import open_clip
import pytest
import torch

from labelshards.errors import CatlipError
from trainer.config import load
from trainer.encoders import models
from trainer.planning import RunPlan, plan

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    ("name", "processes", "millions", "gigaflops"),
    [
        ("datacomp_vit_b16", 64, 85.8, 35.1),
        ("datacomp_vit_l16", 128, 303.3, 123.3),
        ("datacomp_vit_h16", 256, 630.8, 255.3),
    ],
)
def test_plan__of_the_papers_rows(name: str, processes: int, millions: float, gigaflops: float) -> None:
    """Parameters and operations (two for each product) at 224 px are those of the published encoders."""
    one_size = ["plan.multi_scale.num_sizes=1"]
    found = plan(load(RECIPES / f"{name}.toml", one_size), num_processes=processes, num_samples=None)
    assert found.steps == 200_000
    assert found.samples_seen == 200_000 * 65_536
    assert found.encoder_parameters / 1e6 == pytest.approx(millions, rel=2e-3)
    head_gigaflops = 2 * found.head_parameters / 1e9
    assert found.forward_flops_per_image / 1e9 - head_gigaflops == pytest.approx(gigaflops, rel=5e-3)
    assert found.num_classes == 24_320
    assert found.memory_bytes.weights == 4 * (found.encoder_parameters + found.head_parameters)
    assert found.traffic_bytes == pytest.approx(2 * found.memory_bytes.weights, rel=0.02)
    assert found.pixel_bytes == 65_536 // processes * 3 * 224**2


def test_plan__the_papers_sizes_have_1_27_times_as_many_samples() -> None:
    found = plan(load(RECIPES / "datacomp_vit_b16.toml"), num_processes=64, num_samples=1_281_000_000)
    assert len(found.image_sizes) == 13
    assert found.samples_seen / (found.steps * found.batch_size) == pytest.approx(1.27, abs=0.01)
    assert found.forward_flops_per_image < 36e9  # smaller pictures are the more


@pytest.mark.parametrize("kwargs", ["{depth=2}", "{depth=2, class_token=false, global_pool='avg'}"])
def test_plan__sizes_between_cost_what_they_cost_alone(kwargs: str) -> None:
    """Only three sizes are gone through; the mean over five is that of each by itself."""
    recipe = ["model.name=vit_tiny_patch16_224", f"model.kwargs={kwargs}", "plan.steps=1000", "plan.batch_size=64"]

    def flops(*overrides: str) -> tuple[int, float]:
        found = plan(load(None, [*recipe, *overrides]), num_processes=1, num_samples=None, num_classes=10)
        return found.samples_seen, found.forward_flops_per_image

    scales = [f"plan.multi_scale.{key}" for key in ("num_sizes=5", "min_size=96", "max_size=224", "multiple=32")]
    alone = {size: flops(f"model.image_size={size}")[1] for size in (96, 128, 160, 192, 224)}
    batches = {size: 224**2 * 64 // size**2 for size in alone}
    expected = sum(batches[size] * alone[size] for size in alone) / sum(batches.values())
    assert flops(*scales)[1] == pytest.approx(expected, rel=1e-9)


def test_plan__phases_cost_what_each_costs_alone() -> None:
    """Their shares count for operations, and the most expensive one for memory, wherever in the run it stands."""
    recipe = ["model.name=vit_tiny_patch16_224", "model.kwargs.depth=2", "plan.steps=3000", "plan.batch_size=64"]

    def found(*overrides: str) -> RunPlan:
        return plan(load(None, [*recipe, *overrides]), num_processes=1, num_samples=None, num_classes=10)

    low = found("model.image_size=112", "model.kwargs.patch_drop_rate=0.5")
    high = found("model.image_size=224")
    both = found("plan.phases=[{until=0.75, image_size=112, token_dropout=0.5}]")
    expected = 0.75 * low.forward_flops_per_image + 0.25 * high.forward_flops_per_image
    assert both.forward_flops_per_image == pytest.approx(expected, rel=1e-9)
    assert both.memory_bytes.activations == high.memory_bytes.activations > low.memory_bytes.activations
    assert both.samples_seen == 3_000 * 64


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_plan__every_recipe_can_run(path: Path) -> None:
    found = plan(load(path), num_processes=2, num_samples=3_000_000, num_classes=1_000)
    assert found.memory_bytes.total == sum(
        getattr(found.memory_bytes, part) for part in found.memory_bytes.__struct_fields__ if part != "total"
    )
    assert found.training_flops == pytest.approx(3 * found.forward_flops_per_image * found.samples_seen)


def test_plan__fsdp_divides_what_is_kept_and_sends_more() -> None:
    recipe = RECIPES / "datacomp_vit_b16.toml"
    one_size = "plan.multi_scale.num_sizes=1"
    ddp = plan(load(recipe, [one_size]), num_processes=8, num_samples=None)
    fsdp = plan(load(recipe, [one_size, "distributed.strategy=fsdp"]), num_processes=8, num_samples=None)
    assert fsdp.memory_bytes.moments == ddp.memory_bytes.moments // 8
    assert fsdp.memory_bytes.activations == ddp.memory_bytes.activations
    assert fsdp.traffic_bytes == ddp.traffic_bytes * 3 // 2


def test_plan__what_saves_memory_is_seen() -> None:
    recipe = RECIPES / "datacomp_vit_b16.toml"

    def memory(*overrides: str) -> tuple[int, int]:
        found = plan(
            load(recipe, ["plan.multi_scale.num_sizes=1", *overrides]), num_processes=64, num_samples=None
        ).memory_bytes
        return found.activations, found.head

    activations, head = memory()
    assert memory("loop.accumulate=2")[0] == pytest.approx(activations / 2, rel=0.01)
    assert memory("loop.recompute=true")[0] < activations / 5
    assert memory("loss.fused=true")[1] < head
    assert memory("loop.precision=fp32")[0] == 2 * activations


def test_plan__convolutions_and_other_resolutions() -> None:
    overrides = ["model.name=convnext_atto", "plan.steps=10", "plan.phases=[{until=0.5, image_size=112}]"]
    found = plan(load(None, overrides), num_processes=1, num_samples=None, num_classes=10)
    assert found.image_sizes == [112, 224]
    assert found.forward_flops_per_image == pytest.approx(1.094e9 * (1 + 1 / 4) / 2, rel=0.01)
    assert found.traffic_bytes == 0


@pytest.mark.parametrize("name", ["efficientnet_b0", "mixer_s32_224"])
def test_plan__blocks_without_an_embedding_of_patches(name: str) -> None:
    """What they recompute is not known: it counts as kept."""
    overrides = [f"model.name={name}", "plan.steps=10"]
    found, recomputed = (
        plan(load(None, [*overrides, *more]), num_processes=1, num_samples=None, num_classes=10)
        for more in ([], ["loop.recompute=true"])
    )
    assert recomputed == found


def test_plan__counts_the_parameters_of_the_real_encoder() -> None:
    config = load(RECIPES / "flickr8k_cpu.toml")
    found = plan(config, num_processes=1, num_samples=6_000, num_classes=7)
    real = sum(p.numel() for p in models.build(config.model, 7).parameters())
    assert found.encoder_parameters + found.head_parameters == real
    assert torch.get_default_device().type == "cpu"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "plan.epochs says how long the run is, so it takes a label set"),
        (["plan.steps=10", "plan.batch_size=3"], "too few for 4 processes"),
        (["plan.steps=10", "model.name=vit_tiny"], "did you mean"),
        (["plan.steps=10", "optim.warmup_steps=11"], "optim.warmup_steps = 11"),
        (["plan.steps=10", "plan.batch_size=8", "loop.accumulate=3"], "loop.accumulate = 3 is more than the 2 samples"),
        (["plan.steps=10", "loop.compile=true", "loop.recompute=true"], "loop.compile does not go with loop.recompute"),
        (["plan.steps=10", "model.name=selecsls42", "loop.recompute=true"], "This encoder cannot recompute"),
        (["plan.steps=10", "plan.phases=[{until=0.5, image_size=100}]"], "no multiple of the encoder's patches"),
    ],
)
def test_plan__what_could_not_run_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        plan(load(None, overrides), num_processes=4, num_samples=None)


def test_plan__of_pairs_counts_the_text_tower() -> None:
    """Of ViT-B/16: 63.4 million weights, and a sixth of the image tower's operations, which is CLIP's extra cost."""
    recipe, one_size = RECIPES / "datacomp_vit_b16.toml", "plan.multi_scale.num_sizes=1"
    labels, clip, siglip = (
        plan(load(recipe, [one_size, f"objective={kind}"]), num_processes=64, num_samples=None)
        for kind in ("catlip", "clip", "siglip")
    )
    model = open_clip.create_model("ViT-B-16", pretrained=None, device="meta")
    text = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in model.visual.parameters())
    assert clip.text_parameters == siglip.text_parameters == text - 1  # the scale is neither tower's
    assert clip.encoder_parameters == pytest.approx(labels.encoder_parameters, rel=1e-6)
    assert clip.head_parameters == 768 * 512
    encoder = labels.forward_flops_per_image - 2 * labels.head_parameters
    assert (clip.forward_flops_per_image - 2 * clip.head_parameters) / encoder == pytest.approx(1.17, abs=0.005)
    share = 65_536 // 64
    for found, matrices in ((clip, 2), (siglip, 1)):
        embeddings = 2 * matrices * share * 512 * 4 * 63
        assert found.traffic_bytes == pytest.approx(2 * found.memory_bytes.weights * 63 // 64 + embeddings, rel=1e-6)
        assert found.memory_bytes.head == matrices * share * 65_536 * 4
