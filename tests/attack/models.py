"""Readers of what training is given and leaves: recipes, checkpoints, exported folders, tables of numbers, results."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import timm
import torch

from labelshards import parquet, storage
from labelshards.vocabulary import Vocabulary
from tests.attack.label_files import made
from tests.attack.reader import Reader
from tests.attack.shapes import of_json, of_safetensors, of_table, of_toml
from tests.labelset_factory import vocabulary
from tests.trainer.corenet.reference import random_state
from trainer import config, load_encoder, run
from trainer.corenet.imported import open_checkpoint
from trainer.distributed import World
from trainer.encoders.encoder import PictureInput
from trainer.export import config as export_config
from trainer.export import folder as export_folder
from trainer.export.sources import Exportable, open_exportable
from trainer.metrics import Metrics
from trainer.naming import CONFIG_NAME, RECORD_NAME, ModelFacts
from trainer.pictures import output
from trainer.pictures.summary import Summary
from trainer.probes import compare, results
from trainer.probes.tables import FeatureTable
from trainer.tagging.calibration import THRESHOLDS, read_thresholds
from trainer.training import checkpoints
from trainer.training.checkpoints import CheckpointInfo

torch.set_num_threads(1)
_ALONE = World(device=torch.device("cpu"))
_WORDS = vocabulary(3)
_RECIPE = (
    b'objective = "catlip"\nseed = 1\n[plan]\nbatch_size = 8\nsteps = 10\n[model]\nname = "vit_tiny_patch16_224"\n'
    b"image_size = 32\nkwargs = {depth = 1, embed_dim = 16}\nmean = [0.5, 0.5, 0.5]\n[optim]\nlr = 5e-4\n"
    b'betas = [0.9, 0.95]\n[loss]\nkind = "bce"\n[data]\nnum_workers = 0\n'
)


def _set(file: Path, _out: Path) -> None:
    """Each line as the word behind --set."""
    config.load(None, file.read_text(errors="replace").splitlines())


def _checkpoint_files() -> dict[str, bytes]:
    info = CheckpointInfo(step=4, samples=32, bad={"damaged": 1}, config_digest="c", vocabulary_digest="v", score=0.5)
    tensors = {"model.weight": torch.randn(3, 4), "ema.weight": torch.randn(3, 4), "optim.step": torch.tensor(4)}
    return made(lambda folder: checkpoints.save(folder, tensors, info, _ALONE))


def _checkpoint(file: Path, _out: Path) -> None:
    checkpoints.newest(file.parent, lambda _: None)
    checkpoints.best_of(file.parent)
    checkpoints.read_info(file)
    checkpoints.read_tensors(file, "ema.")


def _corenet(file: Path, out: Path) -> None:
    found = open_checkpoint(file, image_size=64, name_classes=lambda _: _WORDS)
    export_folder.write(found, out / "imported", export_folder.TIMM)


def of_state(rng: random.Random, data: bytes) -> bytes | None:
    """One tensor has another shape, type or layout, is gone, or is called otherwise."""
    try:
        state = torch.load(io.BytesIO(data), weights_only=True)
        name = rng.choice(list(state))
        tensor = state.pop(name)
        if rng.random() < 0.9:
            other = rng.choice(_NAMES) if rng.random() < 0.1 else name
            state[other] = rng.choice(_OTHER)(tensor)
        return _saved(state)
    except Exception:  # not every change goes with every tensor, and the data may be none
        return None


_NAMES = ("", "transformer.9.pre_norm_mha.0.weight", "transformer.x", 7, "classifier.bias", "pos_embed", "é.weight")
_OTHER: tuple[Callable[[torch.Tensor], object], ...] = (
    torch.sum, torch.clone, torch.flatten, torch.Tensor.double, torch.Tensor.long, torch.Tensor.bool,
    torch.Tensor.to_sparse,
    lambda tensor: tensor[None], lambda tensor: tensor[:0], lambda tensor: tensor[:1].expand(9, *tensor.shape[1:]),
    lambda tensor: torch.full_like(tensor, float("nan")), lambda tensor: tensor.to(torch.complex64),
    lambda tensor: tensor.to(torch.float8_e4m3fn), lambda tensor: tensor.to("meta"), lambda tensor: tensor.mT,
    lambda tensor: torch.nn.Parameter(tensor), lambda _tensor: 3, lambda tensor: [tensor],
)  # fmt: skip


def _saved(state: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    torch.save(state, sink)
    return sink.getvalue()


def _export(folder: Path) -> None:
    arguments: dict[str, Any] = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 1}
    torch.manual_seed(0)
    name = "vit_tiny_patch16_224"
    model = timm.create_model(name, num_classes=3, **arguments).eval()
    made_config = export_config.make(
        model, architecture=name, model_args=arguments, vocabulary=_WORDS, interpolation="bicubic",
        picture=PictureInput(image_size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        origin=export_config.Origin(made_from="run", vocabulary_digest=_WORDS.digest),
    )  # fmt: skip
    exported = Exportable(folder=Path("run"), model=model, config=made_config, vocabulary=_WORDS, card="# A model\n")
    export_folder.write(exported, folder, export_folder.TIMM)


_EXPORTED = made(_export)
_WEIGHTS_NAME = export_folder.WEIGHTS_NAME


def _exported(file: Path, _out: Path) -> None:
    export_config.origin_of(file.parent)
    load_encoder(file.parent)
    open_exportable(file.parent, best=False, averaged=True, backbone_only=True, licence=None)


def _of_export(name: str, reader: str, shape: Any) -> Reader:  # noqa: ANN401
    beside = {path: data for path, data in _EXPORTED.items() if path != name}
    return Reader(name=reader, file=name, seeds=[_EXPORTED[name]], beside=beside, call=_exported, shapes=(shape,))


_RECORD = run.RunRecord(
    config=config.load(None, ["model.image_size=32"]), label_sets=["labels"], vocabulary_digest=_WORDS.digest,
    labels_digest="l", num_classes=3, num_samples=9, num_steps=10, num_processes=1, device="cpu", versions={},
)  # fmt: skip
_METRICS = Metrics(
    step=4, samples=32, loss=1.0, lr=1e-3, grad_norm=None, images_per_second=9.0, images_per_second_per_process=9.0,
    data_wait_share=0.1, bad={"damaged": 1},
)  # fmt: skip


def _run_record(file: Path, _out: Path) -> None:
    run.continued(file.parent, _RECORD, {"labels"})


def _metrics(file: Path, out: Path) -> None:
    copy = out / file.name
    copy.write_bytes(file.read_bytes())
    run.drop_lines_after(copy, 4)
    run.read_metrics(file.parent)


_RESULT = results.Result(
    task="linear", protocol="catlip", settings={"lr": 1}, seeds=[0], versions={},
    model=ModelFacts(name="m", kind="run", weights="w", parameters=1, step=4),
    data=results.DataFacts(name="d", path="/d", classes=["a", "b"], num_train=9, num_test=4, left_out={},
                           classes_without_test=0),
    scores=[results.Score(encoder="model", setting="10 %", metrics={"top1": results.Spread.of([0.5, 0.25])})],
)  # fmt: skip


def _compared(file: Path, _out: Path) -> None:
    found = compare.group(compare.read_all([file]))
    for group in found:
        compare.to_markdown(group)
    compare.to_csv(found)
    compare.panels(found, None)


def _table_of_thresholds() -> bytes:
    columns = {
        "class_id": [0, 1, 2], "synset": _WORDS.synsets, "threshold": [0.5, 0.25, float("inf")], "positives": [9, 8, 0],
        "precision": [0.5, 0.5, None], "recall": [0.5, 0.5, None], "pooled": [False, False, True],
    }  # fmt: skip
    table = pa.table({name: pa.array(columns[name], THRESHOLDS.field(name).type) for name in THRESHOLDS.names})
    return parquet.to_bytes(table, {b"catlip.vocabulary": _WORDS.digest.encode(), b"catlip.goal": b"f1"})


_SUMMARY = Summary(identity="i", model="m", settings={"top": 5}, pictures=3, problems={}, damaged={})


def _array(values: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, values)
    return sink.getvalue()


def _features(file: Path, _out: Path) -> None:
    table = FeatureTable.open(file.with_name("f"), 3)
    if table.is_complete:
        table.features().sum()
        table.status()


def _call(read: Callable[[str], object]) -> Callable[[Path, Path], object]:
    return lambda file, _out: read(str(file))


READERS = (
    Reader(name="recipe", file="recipe.toml", seeds=[_RECIPE], shapes=(of_toml,),
           call=lambda file, _out: config.load(file, ["plan.steps=3", "model.kwargs.depth=2", "optim.lr=1e-3"])),
    Reader(name="set", file="set.txt", call=_set, shapes=(of_toml,),
           seeds=[b"plan.steps=4\nmodel.kwargs={depth=2}\noptim.lr=5e-4\nmodel.kwargs.depth=3\n"]),
    Reader(name="checkpoint", file="step-00000004.safetensors", seeds=[*_checkpoint_files().values()], call=_checkpoint,
           shapes=(of_safetensors,)),
    Reader(name="corenet-checkpoint", file="vit.pt", seeds=[_saved(random_state(64, 1, 3))], call=_corenet,
           shapes=(of_state,)),
    _of_export(CONFIG_NAME, "exported-config", of_json),
    _of_export(_WEIGHTS_NAME, "exported-weights", of_safetensors),
    _of_export("vocabulary.parquet", "exported-vocabulary", of_table),
    Reader(name="run-record", file=RECORD_NAME, seeds=[msgspec.json.encode(_RECORD)], call=_run_record,
           shapes=(of_json,)),
    Reader(name="metrics", file=run.METRICS_NAME, seeds=[msgspec.json.Encoder().encode_lines([_METRICS] * 3)],
           call=_metrics, shapes=(of_json,)),
    Reader(name="result", file="result.json", seeds=[msgspec.json.encode(_RESULT)], call=_compared, shapes=(of_json,)),
    Reader(name="thresholds", file="thresholds.parquet", seeds=[_table_of_thresholds()], shapes=(of_table,),
           call=_call(lambda where: read_thresholds(where, _WORDS))),
    Reader(name="tags-of-pictures", file="tags/_summary.json", seeds=[msgspec.json.encode(_SUMMARY)], shapes=(of_json,),
           call=lambda file, _out: output.read_summary(str(file.parent))),
    Reader(name="features", file="f.npy", seeds=[_array(np.ones((3, 4), np.float16))], call=_features,
           beside={"f.status.npy": _array(np.ones(3, np.int8))}),
    Reader(name="status-of-features", file="f.status.npy", seeds=[_array(np.ones(3, np.int8))], call=_features,
           beside={"f.npy": _array(np.ones((3, 4), np.float16))}),
    Reader(name="vocabulary-of-model", file="vocabulary.parquet", seeds=[_WORDS.to_bytes()], shapes=(of_table,),
           call=_call(lambda where: Vocabulary.from_bytes(storage.read_bytes(where), where).descriptions)),
)  # fmt: skip
