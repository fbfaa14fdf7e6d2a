from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from tests.trainer.probes.cases import ask, probe_one
from trainer.export import folder, sources

CPU = torch.device("cpu")


def test_probe__the_folder_scores_as_the_run_and_says_where_it_comes_from(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    exported = tmp_path / "model"
    exportable = sources.open_exportable(trained, best=False, averaged=True, backbone_only=False, licence=None)
    folder.write(exportable, exported, folder.TIMM)
    data = make_colours(tmp_path / "data")
    found = []
    for model in (trained, exported):
        asked = replace(ask(model, data, tmp_path / f"probes-{model.name}"), with_random=True)
        found.append(probe_one(asked, "knn"))
    of_run, of_folder = found
    assert of_run.scores == of_folder.scores
    assert of_folder.model.step == of_run.model.step == 40
    assert of_folder.model.pretrained_on == "/".join(of_run.model.pretrained_on.split("/")[-2:])
