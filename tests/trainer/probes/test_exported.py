from collections.abc import Callable
from pathlib import Path

import torch

from trainer.export import folder, sources
from trainer.opening import open_model
from trainer.probes import knn, probing
from trainer.probes.data.opening import open_splits

CPU = torch.device("cpu")


def test_probe__the_folder_scores_as_the_run(trained: Path, make_colours: Callable[..., Path], tmp_path: Path) -> None:
    exported = tmp_path / "model"
    exportable = sources.open_exportable(trained, best=False, averaged=True, backbone_only=False, licence=None)
    folder.write(exportable, exported, folder.TIMM)
    data = make_colours(tmp_path / "data")
    scores = []
    for model in (trained, exported):
        (result,) = probing.probe(
            open_model(str(model), "pretrained", CPU),
            open_splits(data),
            [knn.plan()],
            data=data,
            out=tmp_path / f"probes-{model.name}",
            seeds=[0],
            with_random=True,
            device=CPU,
            report=lambda *_: None,
        )
        scores.append(result.scores)
    assert scores[0] == scores[1]
