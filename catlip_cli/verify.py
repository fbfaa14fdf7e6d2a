"""`catlip labels verify`: is a label set still what was built?"""

import click

from catlip_cli.options import json_option, moved_option, refuse_idle
from catlip_cli.terminal import EXIT_FAILED, print_facts, print_json, print_next, progress, stderr


@click.command(short_help="Check a label set against its manifest.")
@click.argument("label_set", metavar="DIR")
@moved_option
@click.option("--deep", is_flag=True, help="Also look whether every image is in its tar, where the label set says.")
@json_option
def verify(label_set: str, moved: dict[str, str], deep: bool, as_json: bool) -> int:
    """Check the label set in DIR against its manifest: hashes, row counts, vocabulary, labels, totals.

    Exit code 1 if anything is wrong, with a line for each thing.

    \b
    Examples:
      catlip labels verify labels
      catlip labels verify labels --deep --moved /old/tars=/new/tars
    """
    if not deep:
        refuse_idle(("moved",), "--deep")
    from labelshards.verify import verify as verify_label_set

    with progress("Checking", 0) as ticker:
        found = verify_label_set(
            label_set, deep=deep, moved=moved, on_step=lambda done, total: ticker.update(done, total=total)
        )
    if as_json:
        images = found.images if deep else None
        print_json(
            {"ok": not found.wrong, "files": found.files, "samples": found.rows, "images": images, "wrong": found.wrong}
        )
    else:
        facts = [("files", f"{found.files:,}"), ("samples", f"{found.rows:,}")]
        facts.append(("images", f"{found.images:,}" if deep else "not looked at; --deep does"))
        facts.append(("wrong", f"{len(found.wrong):,}" if found.wrong else "nothing"))
        print_facts(f"Checked {label_set}", facts)
        for line in found.wrong:
            stderr.print(f"Error: {line}", style="red", markup=False, soft_wrap=True)
        if not found.wrong:
            print_next("catlip", "train", "--labels", label_set, "--recipe", "FILE", "--out", "DIR")
    return EXIT_FAILED if found.wrong else 0
