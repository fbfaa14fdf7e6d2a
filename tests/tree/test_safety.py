"""No code of the project runs what it reads; each exception is named here, with its reason."""

from pathlib import Path

import pytest

from tests.tree.unsafe import find

ROOT = Path(__file__).parents[2]
FOLDERS = ("catlip_cli", "labelgen", "labelshards", "samplegen", "trainer", "benchmarks", "examples", "tools")
OF_RANKS = "what the ranks of one run tell each other, over the connections that torch.distributed trusts anyway"
ALLOWED = {
    (
        "labelgen/classes/corenet_vocabulary.py",
        "pickle.Unpickler",
    ): "a subclass that knows no class and no function, "
    "and is shown only files whose every instruction was read before and makes a string, a number or a dict",
    ("trainer/distributed.py", "torch.distributed.gather_object"): OF_RANKS,
    ("trainer/distributed.py", "torch.distributed.all_gather_object"): OF_RANKS,
}


def test_source__runs_nothing_that_it_reads() -> None:
    modules = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert {path.relative_to(ROOT).parts[0] for path in modules} == set(FOLDERS)
    found = {(str(path.relative_to(ROOT)), each.what): each.line for path in modules for each in find(path.read_text())}
    assert {what: line for what, line in found.items() if what not in ALLOWED} == {}
    assert set(found) == set(ALLOWED), "an exception that nothing needs any more"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle\npickle.loads(b'')", "pickle.loads"),
        ("import pickle as p\nread = map(p.load, files)", "pickle.load"),
        ("def f():\n    from pickle import loads as read\n    return read(b'')", "pickle.loads"),
        ("import pickle\nclass Mine(pickle.Unpickler): ...", "pickle.Unpickler"),
        ("import torch\ntorch.load(path)", "torch.load without weights_only"),
        ("import torch\ntorch.load(path, weights_only=False)", "torch.load with weights_only"),
        ("import torch\ntorch.load(path, weights_only=safe)", "torch.load with weights_only"),
        ("import torch\ntorch.load(path, **options)", "torch.load without weights_only"),
        ("import timm\ntimm.models.load_state_dict(path)", "timm.models.load_state_dict without weights_only"),
        ("import torch.distributed as dist\ndist.broadcast_object_list(values)",
         "torch.distributed.broadcast_object_list"),
        ("import subprocess\nsubprocess.run(command, shell=True)", "subprocess.run with shell"),
        ("run(command, shell=1)", "run with shell"),
        ("import os\nos.system('ls')", "os.system"),
        ("from os import popen\npopen('ls')", "os.popen"),
        ("eval(text)", "eval"),
        ("for run in (exec,): ...", "exec"),
        ("import yaml\nyaml.load(text, Loader=yaml.SafeLoader)", "yaml.load"),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", "numpy.load with allow_pickle"),
        ("import numpy as np\nnp.load(path, None, True)", "numpy.load with allow_pickle"),
        ("archive.extractall(folder)", "extractall without filter='data'"),
        ("import tarfile\ntarfile.open(path).extractall(folder, filter='tar')", "extractall without filter='data'"),
    ],
)  # fmt: skip
def test_find__sees(source: str, what: str) -> None:
    assert [each.what for each in find(source)] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, mmap_mode='r')",
        "class Config:\n    eval: int = 0\n    compile: bool = False",
        "model.eval()\nre.compile('a')\ntorch.compile(model)",
        "import yaml\nyaml.safe_load(text)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "archive.extractall(folder, filter='data')",
        "import pickle\npickle.dumps({})",
        "'pickle.loads'  # os.system",
    ],
)
def test_find__leaves_alone(source: str) -> None:
    assert find(source) == []
