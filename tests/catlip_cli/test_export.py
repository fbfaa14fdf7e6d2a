import json
import pickle
from pathlib import Path

import onnxruntime
import pytest
import torch

from catlip_cli import export as command
from catlip_cli.main import run
from tests.hub_server import serving
from tests.labelset_factory import coloured, write_label_set
from tests.tiny_run import go
from tests.trainer.corenet.reference import random_state
from trainer import load_encoder
from trainer.export.folder import FORMATS


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    go(write_label_set(folder, coloured(2, 10)), folder / "run")
    return folder / "run"


def test_export__summary_and_next_command(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(trained), "--out", str(tmp_path / "model"), "--license", "mit"]) == 0
    said = capsys.readouterr().out
    for words in (
        f"Wrote {tmp_path / 'model'}",
        "4 classes",
        "32 x 32 pixels",
        "model.safetensors (",
        "vocabulary.parquet (",
    ):
        assert words in said
    assert said.splitlines()[-1] == f"Next: catlip probe {tmp_path / 'model'} --data DATA"
    assert "license: mit\n" in (tmp_path / "model" / "README.md").read_text()


def test_export__card_has_what_probes_found(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures"
    for item in coloured(1, 8)[0]:
        for split in ("train", "test"):
            path = pictures / split / f"colour{item.labels[0]}" / f"{item.key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.image or b"")
    words = ["--data", str(pictures), "--task", "knn"]
    assert run(["probe", str(trained), *words]) == 0
    assert (
        run(["probe", "test_vit", "--weights", "random", *words, "--out", str(trained)]) == 0
    )  # is no result of the run
    assert run(["export", str(trained), "--out", str(tmp_path / "model")]) == 0
    capsys.readouterr()
    lines = (tmp_path / "model" / "README.md").read_text().splitlines()
    [row] = [line for line in lines if line.startswith("| pictures |")]
    assert "knn, dino, step 12 | k = 8 | top1 " in row
    assert row.count("top1") == 2  # beside random weights


@pytest.mark.slow
@torch.inference_mode()
def test_export__onnx_computes_the_same(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "onnx"
    assert run(["export", str(trained), "--out", str(out), "--format", "onnx", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["onnx"]["any_size"] is True
    assert said["onnx"]["difference"] < 1e-4
    assert set(said["files"]) == {"README.md", "config.json", "model.onnx", "vocabulary.parquet"}
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    model = load_encoder(trained).model
    for batch, size in ((1, 32), (5, 32), (2, 80)):
        x_BCHW = torch.randn(batch, 3, size, size)
        (logits_BK,) = session.run(["output"], {"pictures": x_BCHW.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits_BK), model(x_BCHW), rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Use 'content=<")  # the hub's client to its own library
def test_export__sends_the_folder_to_the_hub(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(trained), "--out", str(tmp_path / "model"), "--push-to-hub", "somebody/encoder"]
    with serving() as hub:
        hub.use(monkeypatch)
        assert run([*words, "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "would send 4 files, " in said
        assert f"to a public model at {hub.endpoint}/somebody/encoder\n" in said
        assert not hub.tokens  # nobody was asked anything
        assert run([*words, "--private"]) == 0
        assert f"sent: {hub.endpoint}/somebody/encoder/commit/1" in capsys.readouterr().out
        assert hub.repos["somebody/encoder"]["visibility"] == "private"
        sent = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
        assert hub.files["somebody/encoder"] == sent
        assert hub.tokens == {"Bearer hf_token"}
        hub.refuse = 403
        assert run(words) == 1
        assert "Error: somebody/encoder was not sent to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--dry-run"], 2, "go with --push-to-hub"),
        (["--push-to-hub", "alone"], 1, "write it as OWNER/NAME"),
        (["--push-to-hub", "a b/c"], 1, "--push-to-hub a b/c"),
        (["--best"], 1, "has been evaluated"),
    ],
)
def test_export__mistakes_are_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert run(["export", str(trained), "--out", str(tmp_path / "model"), *words]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_formats__are_those_of_the_library() -> None:
    assert command.FORMATS == FORMATS


def test_import_corenet__names_classes_and_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    torch.save(random_state(64, 1, 3), tmp_path / "vit.pt")
    counts = {"n2084071": 9, "n2121620": 8, "n7846": 7, "n2958343": 6}  # dog, cat, person, car: cut at three
    (tmp_path / "vocab.pkl").write_bytes(pickle.dumps(counts))
    out = tmp_path / "model"
    words = ["import-corenet", str(tmp_path / "vit.pt"), "--vocab", str(tmp_path / "vocab.pkl"), "--out", str(out)]
    assert run([*words, "--image-size", "64"]) == 0
    said = capsys.readouterr().out
    assert "dog.n.01, cat.n.01, person.n.01" in said
    assert f"Next: catlip probe {out} --data DATA" in said
    encoder = load_encoder(out)
    assert encoder.vocabulary is not None
    assert encoder.vocabulary.synsets == ["dog.n.01", "cat.n.01", "person.n.01"]
    assert encoder.model(torch.rand(1, 3, 64, 64)).shape == (1, 3)
    assert run(["import-corenet", str(tmp_path / "vit.pt"), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"] == "catlip_vit"
    assert load_encoder(out).vocabulary is None
    assert run(["import-corenet", str(tmp_path / "none.pt"), "--out", str(out)]) == 1
    assert "none.pt" in capsys.readouterr().err
