"""Checkpoints that every rank writes its slices of: a folder of safetensors, by torch's distributed checkpoints (DCP).

DCP's own format holds a pickle; this is its safetensors format, in which each file says which slices it has.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor


def write(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write all ranks' tensors into an empty `folder`; all must call this. Raises OSError on all if one cannot."""
    try:
        save(tensors, storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))
    except CheckpointException as failed:
        raise _first(failed) from failed


def read(folder: Path, prefix: str = "", places: Mapping[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    """Tensors whose names start with `prefix`, by their whole names.

    Whole and in main memory, or where `places` has a sharded tensor of that name, this rank's slice of it alone.
    """
    metadata = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    tensors: dict[str, torch.Tensor] = {}
    for name, found in metadata.items():
        assert isinstance(found, TensorStorageMetadata), "write() gets tensors alone"
        place = places.get(name) if places else None
        if isinstance(place, DTensor):
            tensors[name] = torch.zeros_like(place)
        elif name.startswith(prefix):
            tensors[name] = torch.zeros(found.size, dtype=found.properties.dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # each rank reads for itself
        try:
            load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
        except CheckpointException as failed:
            raise _first(failed) from failed
    return tensors


def _first(failed: CheckpointException) -> OSError:
    """What went wrong on the first rank where something did; DCP's own is a BaseException, which nobody expects."""
    rank, (error, _) = next(iter(failed.failures.items()))
    return OSError(f"rank {rank}: {error}")
