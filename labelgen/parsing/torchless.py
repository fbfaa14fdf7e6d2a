"""spaCy without torch, which it imports wherever that is installed."""

import sys
from importlib.abc import MetaPathFinder


class _WithoutTorch(MetaPathFinder):
    """Finds no torch. An entry of None in sys.modules would do that, too, but SciPy takes it for torch itself."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname == "torch":
            raise ModuleNotFoundError("No module named 'torch', so that spaCy does not load it", name=fullname)


def do_without_torch() -> None:
    """spaCy imports torch wherever it is installed, 2.5 s that nothing here needs."""
    if not any(isinstance(finder, _WithoutTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutTorch())
