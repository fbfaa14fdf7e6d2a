import pytest
import timm
import torch

from labelshards.errors import CatlipError
from trainer.distributed import World
from trainer.probes.finetune.task import PROTOCOLS
from trainer.probes.tuning import groups
from trainer.probes.tuning.settings import overridden

STRONG = PROTOCOLS["strong"]


def test_overridden__this_tasks_settings_alone() -> None:
    found = overridden("finetune", STRONG, ["finetune.lr=2e-3", "segment.lr=1", "finetune.multi_scale.num_sizes=5"])
    assert (found.lr, found.multi_scale.num_sizes, found.layer_decay) == (2e-3, 5, STRONG.layer_decay)
    assert overridden("finetune", STRONG, []) == STRONG


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "finetune.rate=1",
            "--set: unknown key finetune.rate. Known keys: finetune.epochs, finetune.batch_size",
        ),
        ("finetune.lr=-1", "--set finetune.lr: this should be a number > 0."),
        ("finetune.epochs=many", "--set finetune.epochs: this should be a number"),
        ("finetune.epoch=3", "--set: unknown key finetune.epoch; did you mean finetune.epochs?"),
        ("finetune.lr", "write it as key=value"),
    ],
)
def test_overridden__mistakes_are_named(override: str, message: str) -> None:
    with pytest.raises(CatlipError) as caught:
        overridden("finetune", STRONG, [override])
    assert message in str(caught.value)


def test_stream__a_batch_is_no_larger_than_the_data_and_no_smaller_than_the_processes() -> None:
    cpu = torch.device("cpu")
    steps = STRONG.stream(10, 32, 0, World(device=cpu)).steps
    assert steps[0].batch_size == 10
    assert steps.num_steps == STRONG.epochs
    assert STRONG.stream(1, 32, 0, World(device=cpu, size=2)).steps[0].batch_size == 2


def test_of_encoder__lower_layers_move_less_and_biases_do_not_decay() -> None:
    model = timm.create_model("test_vit", num_classes=3)
    found = groups.of_encoder(model, STRONG)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    scale = {names[id(p)]: group["lr_scale"] for group in found for p in group["params"]}
    decay = {names[id(p)]: group["weight_decay"] for group in found for p in group["params"]}
    assert set(scale) == set(names.values())
    num_blocks = len(list(model.get_submodule("blocks").children()))
    layers = num_blocks + 1
    assert scale["head.weight"] == 1.0
    assert scale["patch_embed.proj.weight"] == pytest.approx(0.75**layers)
    for number in range(num_blocks):
        assert scale[f"blocks.{number}.mlp.fc1.weight"] == pytest.approx(0.75 ** (layers - 1 - number))
    assert decay["head.bias"] == decay["norm.weight"] == 0.0
    assert decay["head.weight"] == STRONG.weight_decay
