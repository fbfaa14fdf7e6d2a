"""An exported folder to the Hugging Face hub."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from labelshards.errors import CatlipError, first_line

_MESSAGE = "Export from catlip"


class Destination(NamedTuple):
    """Where a folder goes. has_token: whether this machine may speak for somebody there."""

    url: str
    has_token: bool


def destination(repo: str) -> Destination:
    """What `send` would do, without a word to anybody. Raises CatlipError if `repo` is no name of a model there."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise CatlipError(f"--push-to-hub {repo}: {first_line(error)}.") from error
    if repo.count("/") != 1:
        raise CatlipError(f"--push-to-hub {repo}: write it as OWNER/NAME.")
    return Destination(url=f"{HfApi().endpoint}/{repo}", has_token=get_token() is not None)


def send(folder: Path, names: Iterable[str], repo: str, private: bool) -> str:
    """Make the model `repo` if there is none, and commit the files `names` of `folder` to it; returns the commit's URL.

    private: whether a new one is hidden from others. Raises CatlipError for what the hub refuses.
    """
    api = HfApi()
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*commit a data file")  # the vocabulary belongs to the model
            commit = api.upload_folder(
                repo_id=repo, folder_path=folder, allow_patterns=list(names), commit_message=_MESSAGE
            )
    except Exception as error:  # the client's own types, and those of the library under it
        mend = "" if get_token() else " This machine has no token for it: `hf auth login`."
        raise CatlipError(
            f"{repo} was not sent to {api.endpoint}: {first_line(error)}.{mend} The folder is in {folder}."
        ) from error
    return str(commit.commit_url)
