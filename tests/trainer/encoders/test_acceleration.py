from pathlib import Path

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from tests.trainer.one_step import one_step
from trainer.distributed import World
from trainer.encoders.acceleration import compile_encoder
from trainer.encoders.models import ModelConfig, build, features

ALONE = World(device=torch.device("cpu"))


@pytest.fixture(scope="module")
def plain(labels: Path) -> dict[str, torch.Tensor]:
    return one_step(labels, ALONE)


@pytest.mark.parametrize("setting", ["loop.recompute=true", "loop.channels_last=true"])
def test_acceleration__is_the_same_step(labels: Path, plain: dict[str, torch.Tensor], setting: str) -> None:
    found = one_step(labels, ALONE, setting)
    assert all((found[name] - tensor).norm() <= 1e-5 * tensor.norm() for name, tensor in plain.items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler looks at all
def test_compile_encoder__no_graph_for_each_resolution() -> None:
    torch.compiler.reset()
    kwargs = {"depth": 2, "embed_dim": 32, "num_heads": 2, "drop_path_rate": 0.2}
    torch.manual_seed(0)
    model = build(ModelConfig(name="vit_tiny_patch16_224", image_size=32, kwargs=kwargs), 5)
    pictures = [torch.randn(batch, 3, size, size) for batch, size in [(8, 32), (2, 64), (4, 48), (3, 80)]]
    expected = [features(model.eval(), x) for x in pictures]
    counter = CompileCounterWithBackend("aot_eager")
    compile_encoder(model, counter)
    for training in (False, True):  # each has a graph of its own
        model.train(training)
        counts = []
        for x, feature in zip(pictures, expected, strict=True):
            found = features(model, x)
            found.sum().backward()  # type: ignore[no-untyped-call]
            counts.append(counter.frame_count)
            if not training:
                torch.testing.assert_close(found, feature)
        # Once more where a first size was taken for a constant, and then no more.
        assert counts[1:] == [counts[1]] * 3
