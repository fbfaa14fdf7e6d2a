"""Shared by all tests: where real data lies, language data loaded once per process, and small tars."""

import gc
import io
import os
import shutil
import signal
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in a worker; NumPy reads it when it is imported

gc.set_threshold(100_000)  # else a tenth of the time goes into searching WordNet and torch for garbage

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `pytest &` would have all processes ignore Ctrl-C

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from labelgen.dictionary.lexicon import Lexicon
    from labelgen.dictionary.synsets import Synsets
    from labelgen.dictionary.wordnet import Folder
    from labelgen.inmemory import Labelling
    from labelgen.meaning.atlas import Atlas
    from labelgen.meaning.senses import Pins
    from labelgen.parsing.nouns import ChunkParser

# No time limit for an example: a busy machine is no failure. Drawn anew at a desk, the same ones where CI is said.
settings.register_profile("catlip", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI")))
settings.load_profile("catlip")

ROOT = Path(__file__).parent.parent
TEST_DATA = Path(os.environ.get("CATLIP_TEST_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left alone with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """What is written here need not outlast the machine; waiting for that took a tenth of the time of builds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real corpora. Its absence skips the test, or fails it where CATLIP_REQUIRE_TEST_DATA is set."""
    if not TEST_DATA.is_dir():
        message = f"real test data is not at {TEST_DATA}; set CATLIP_TEST_DATA"
        if os.environ.get("CATLIP_REQUIRE_TEST_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return TEST_DATA


@pytest.fixture(scope="session")
def wordnet_folder() -> "Folder":
    """Where the real WordNet 3.0 lies."""
    from labelgen import language_data

    return language_data.find_wordnet()


@pytest.fixture(scope="session")
def synsets(wordnet_folder: "Folder") -> "Synsets":
    """All synsets of the real WordNet 3.0, by id."""
    from labelgen.dictionary.synsets import Synsets

    return Synsets.load(wordnet_folder)


@pytest.fixture(scope="session")
def lexicon(wordnet_folder: "Folder") -> "Lexicon":
    """The real lexicon, with the built-in terms of the web."""
    from labelgen.dictionary.lexicon import Lexicon
    from labelgen.meaning import wordlists

    return Lexicon.load(wordnet_folder, wordlists.read_terms(None))


@pytest.fixture(scope="session")
def chunk_parser() -> "ChunkParser":
    """The real spaCy model."""
    from labelgen import language_data
    from labelgen.parsing.nouns import ChunkParser

    with pytest.MonkeyPatch.context() as patch:
        if "torch" not in sys.modules:
            patch.setitem(sys.modules, "torch", None)  # as in a worker: spaCy would import it, for nothing
        return ChunkParser(language_data.spacy_model())


@pytest.fixture(scope="session")
def write_tar() -> Callable[..., Path]:
    """`write_tar(path, members)` makes a tar of (name, content) pairs and returns its path."""

    def write(path: Path, members: Iterable[tuple[str, bytes]], *, tar_format: int = tarfile.USTAR_FORMAT) -> Path:
        with tarfile.open(path, "w", format=tar_format) as archive:
            for name, content in members:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return write


@pytest.fixture(scope="session")
def use_loaded(
    chunk_parser: "ChunkParser", lexicon: "Lexicon", synsets: "Synsets"
) -> Callable[[pytest.MonkeyPatch], None]:
    """`use_loaded(patch)` lets whatever is built take the language data that this process has loaded."""
    from labelgen import build, labelers, options
    from labelgen.dictionary import relations
    from labelgen.dictionary.glosses import Glosses, read_glosses
    from labelgen.dictionary.synsets import Synsets
    from labelgen.distill import teach
    from labelgen.meaning import topics, wordlists

    load_lexicon = options.load_lexicon
    read_senses = wordlists.read_senses
    decided = read_senses(None, lexicon, synsets)
    digest_of_senses = cache(wordlists.digest_of_senses)

    def load(labeler: str, terms: str | None, folder: "Folder", senses: Any = None) -> "Lexicon":  # noqa: ANN401
        usual = terms is None and labelers.KINDS[labeler].parses
        return lexicon if usual else load_lexicon(labeler, terms, folder, senses)

    def senses(uri: str | None, of: "Lexicon", among: "Synsets") -> "Pins":
        return decided if uri is None and of is lexicon and among is synsets else read_senses(uri, of, among)

    def digest(uri: str | None) -> str:
        return digest_of_senses(None) if uri is None else digest_of_senses.__wrapped__(uri)

    @cache
    def loaded_glosses() -> Glosses:
        return read_glosses(lexicon, synsets)

    def glosses(of: "Lexicon", among: "Synsets") -> Glosses:
        return loaded_glosses() if of is lexicon and among is synsets else read_glosses(of, among)

    loaded_relations = cache(partial(relations.Relations, synsets))
    background = topics.Topics.background
    of_loaded: list[list[str]] = []

    def everyday(of: topics.Topics) -> list[str]:
        if of._senses.lexicon is not lexicon or of._senses.synsets is not synsets:
            return background(of)
        if not of_loaded:
            of_loaded.append(background(of))
        return of_loaded[0]

    def use(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(topics, "read_glosses", glosses)
        patch.setattr(topics, "Relations", lambda of: loaded_relations() if of is synsets else relations.Relations(of))
        patch.setattr(topics.Topics, "background", everyday)
        patch.setattr(wordlists, "read_senses", senses)
        patch.setattr(wordlists, "digest_of_senses", digest)
        patch.setattr(labelers, "ChunkParser", lambda _model, nouns="chunks": chunk_parser)
        patch.setattr(teach, "ChunkParser", lambda _model: chunk_parser)
        patch.setattr(options, "load_lexicon", load)
        patch.setattr(build, "load_lexicon", load)
        patch.setattr(Synsets, "load", lambda _folder, _senses=None: synsets)

    return use


@pytest.fixture(scope="session")
def make_labelling(use_loaded: Callable[[pytest.MonkeyPatch], None]) -> "Callable[..., Labelling]":
    """`make_labelling(labeler, senses, **options)`: the whole way of a caption, in milliseconds."""
    from labelgen.inmemory import Labelling

    def make(*arguments: Any, **options: Any) -> Labelling:  # noqa: ANN401
        with pytest.MonkeyPatch.context() as patch:
            use_loaded(patch)
            return Labelling(*arguments, **options)

    return make


@pytest.fixture(scope="session")
def labelling(make_labelling: "Callable[..., Labelling]") -> "Labelling":
    """The default labeler with its default policy."""
    return make_labelling()


@pytest.fixture(scope="session")
def work_here(use_loaded: Callable[[pytest.MonkeyPatch], None]) -> Callable[[pytest.MonkeyPatch], None]:
    """`work_here(patch)` lets builds extract in this process, with the language data that it has loaded."""
    from labelgen import engines, extract
    from labelgen.engines.worker import Done, Failed, Outcome
    from labelgen.sources.sample import InputShard, SourceError

    def run(
        _engine: str, shards: Iterable[InputShard], make: Callable[[], extract.Extractor], _num_workers: int | None
    ) -> Iterator[Outcome]:
        extractor = make()
        for shard in shards:
            try:
                yield Done.of(shard, *extractor.extract(shard))
            except SourceError as error:
                yield Failed(shard, str(error))

    def use(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(engines, "start", lambda _engine, *, parses: None)
        patch.setattr(engines, "run", run)
        patch.setattr(engines, "run_alone", lambda function, *arguments: function(*arguments))
        use_loaded(patch)

    return use


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch, work_here: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Let builds extract in this process: the same work in milliseconds."""
    work_here(monkeypatch)


@pytest.fixture(scope="session")
def atlas(wordnet_folder: "Folder") -> "Atlas":
    """The real map of WordNet."""
    from labelgen.meaning.atlas import read_atlas

    return read_atlas()


@pytest.fixture(scope="session")
def build_labels(work_here: Callable[[pytest.MonkeyPatch], None]) -> Callable[..., str]:
    """`build_labels(folder, captions, **options)` builds `folder`/labels from two shards of captions."""
    from labelgen.build import build
    from labelgen.options import Options

    def make(folder: Path, captions: list[str], **options: Any) -> str:  # noqa: ANN401
        folder.mkdir(parents=True, exist_ok=True)
        half = (len(captions) + 1) // 2
        for name, part in (("a", captions[:half]), ("b", captions[half:])):
            (folder / f"{name}.tsv").write_text("".join(f"{text}\thttp://x\n" for text in part))
        sources = [str(folder / name) for name in ("a.tsv", "b.tsv")]
        with pytest.MonkeyPatch.context() as patch:
            work_here(patch)
            build(Options(sources=sources, out=str(folder / "labels"), **options))
        return str(folder / "labels")

    return make


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Headless Chromium: CATLIP_TEST_CHROMIUM, or what is on the PATH. Without one the test is skipped."""
    from playwright.sync_api import sync_playwright

    named = os.environ.get("CATLIP_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the PATH (apt-get install chromium, or set CATLIP_TEST_CHROMIUM)")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found) as browser:
        yield browser
