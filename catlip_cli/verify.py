"""`catlip labels verify`: is a label set still what was built?"""

import click

from catlip_cli.terminal import EXIT_FAILED, old_and_new, print_facts, print_json, print_next, progress, stderr


@click.command()
@click.argument("label_set", metavar="DIR")
@click.option("--deep", is_flag=True, help="Also look at every image: is it in its tar, where the label set says?")
@click.option("--moved", multiple=True, metavar="OLD=NEW", help="Where image shards lie now. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(label_set: str, deep: bool, moved: tuple[str, ...], as_json: bool) -> int:
    """Check the label set in DIR against its manifest: hashes, row counts, vocabulary, labels, totals.

    Exit code 1 if anything is wrong, with a line for each thing.

    \b
    Examples:
      catlip labels verify labels
      catlip labels verify labels --deep --moved /old/tars=/new/tars
    """
    from labelshards.verify import verify as verify_label_set

    places = dict(old_and_new(text) for text in moved)
    with progress("Checking", 0) as ticker:  # the first step says how many there are
        found = verify_label_set(
            label_set, deep=deep, moved=places, on_step=lambda done, total: ticker.update(done, total=total)
        )
    if as_json:
        images = found.images if deep else None
        print_json(
            {"ok": not found.wrong, "files": found.files, "rows": found.rows, "images": images, "wrong": found.wrong}
        )
    else:
        facts = [("files", f"{found.files:,}"), ("samples", f"{found.rows:,}")]
        facts.append(("images", f"{found.images:,}" if deep else "not looked at; --deep does"))
        facts.append(("wrong", f"{len(found.wrong):,}" if found.wrong else "nothing"))
        print_facts(f"Checked {label_set}", facts)
        for line in found.wrong:
            stderr.print(f"Error: {line}", style="red", markup=False, soft_wrap=True)
        if not found.wrong:
            print_next(f"catlip train --labels {label_set} --recipe RECIPE --out DIR")
    return EXIT_FAILED if found.wrong else 0
