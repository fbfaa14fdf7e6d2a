"""How the command line tells of an exported folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.export.folder import Written
    from trainer.export.sources import Exportable


def as_json(exportable: "Exportable", written: "Written", out: Path) -> dict[str, object]:
    """What `--json` says of it."""
    made = exportable.config
    return {
        "out": str(out),
        "architecture": made.architecture,
        "classes": made.num_classes,
        "features": made.num_features,
        "image_size": made.image_size,
        "files": written.files,
        "onnx": written.onnx,
    }


def facts(exportable: "Exportable", written: "Written") -> list[tuple[str, str]]:
    """Lines for `print_facts`."""
    made = exportable.config
    parameters = sum(parameter.numel() for parameter in exportable.model.parameters())
    lines = [
        ("model", f"{made.architecture}, {parameters / 1e6:.1f} M parameters"),
        ("output", f"{made.num_classes:,} classes" if made.num_classes else f"{made.num_features:,} features"),
        ("pictures", f"{made.image_size} x {made.image_size} pixels"),
        ("files", ", ".join(f"{name} ({terminal.size(number)})" for name, number in written.files.items())),
    ]
    if written.onnx is not None:
        sizes = (
            "any number of them, in any size that the encoder takes" if written.onnx.any_size else "any number of them"
        )
        lines.append(("ONNX", f"{sizes}; at most {written.onnx.difference:.1e} from PyTorch"))
    return lines
