"""The contract between the stages: what a label set is on disk, and nothing else.

Stage 1 (`labelgen`) writes through this package, stage 2 (`trainer`) reads through it; the two never meet
elsewhere. The specification is docs/label-set-format.md.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelshards.labelset import LabelSet


def open_label_set(folder: str | Path) -> "LabelSet":
    """The label set in `folder`, a path or a URI: its vocabulary, shards, examples and manifest.

    What it returns was checked against the manifest. Raises LabelSetError if it is missing, unfinished or changed.
    """
    from labelshards.labelset import LabelSet  # not above: `catlip --help` imports this package, and no Arrow

    return LabelSet.open(str(folder))
