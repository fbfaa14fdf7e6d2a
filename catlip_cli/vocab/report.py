"""`catlip vocab inspect --html`: label sets as one page for a browser."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from catlip_cli.terminal import count, print_facts, print_json, print_next, progress, stderr


def write(folders: Sequence[str], file: str, *, thumbnails: int, moved: dict[str, str], as_json: bool) -> None:
    """Write the report of some label sets to `file`, and say what is in it."""
    from labelgen.report import page  # first: what is not installed shows before anything is read
    from labelgen.report.collect import collect
    from labelshards import storage
    from labelshards.errors import CatlipError
    from labelshards.labelset import LabelSet

    label_sets = [LabelSet.open(folder) for folder in folders]
    with _steps() as on_step:
        report = collect(label_sets, thumbnails_per_class=thumbnails, moved=moved, on_step=on_step)
    data = page.render(report)
    try:
        storage.write_bytes(file, data)
    except OSError as error:
        raise CatlipError(f"{file} cannot be written: {error.strerror or error}.") from error
    for facts in report.core.sets:
        if facts.pictures_note is not None:
            stderr.print(f"Note: {facts.name}: {facts.pictures_note}", markup=False, soft_wrap=True)
    num_classes, flagged = len(report.core.columns.synset), sum(flags > 0 for flags in report.core.columns.flags)
    if as_json:
        print_json(
            {
                "out": file,
                "bytes": len(data),
                "classes": num_classes,
                "flagged": flagged,
                "pictures": len(report.pictures),
                "notes": {facts.name: facts.pictures_note for facts in report.core.sets if facts.pictures_note},
            }
        )
        return
    print_facts(
        f"Wrote {file}",
        [
            ("label sets", ", ".join(facts.name for facts in report.core.sets)),
            ("classes", f"{num_classes:,}, {flagged:,} of them with a flag"),
            ("pictures", f"{len(report.pictures):,}"),
            ("size", f"{len(data) / 1e6:.1f} MB, {count(1, 'file')} that needs no network"),
        ],
    )
    print_next("python", "-m", "webbrowser", file)


@contextmanager
def _steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each thing that is read, one after another."""
    with ExitStack() as stack:
        shown: str | None = None
        update: Callable[[int], None] = lambda _done: None  # noqa: E731

        def on_step(what: str, done: int, total: int) -> None:
            nonlocal shown, update
            if what != shown:
                stack.close()
                ticker = stack.enter_context(progress(f"Reading {what}", total))
                shown, update = what, ticker.update
            update(done)

        yield on_step
