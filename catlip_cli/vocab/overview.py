"""What `catlip vocab inspect` says of a whole label set."""

from collections import Counter
from typing import TYPE_CHECKING

from catlip_cli.terminal import print_facts, print_json, print_table, stdout

if TYPE_CHECKING:
    import pyarrow as pa

    from labelgen.audit.totals import Totals
    from labelshards.labelset import LabelSet

_BAR = 30
# So small a part of the samples, those with most labels, is one line of the histogram.
_FEW = 0.005
_MOST_LINES = 15
_RAREST = 5


def print_as_json(label_set: "LabelSet", totals: "Totals", table: "pa.Table", limit: int) -> None:
    """Everything as one object, with up to `limit` classes (0: all)."""
    manifest = label_set.manifest
    print_json(
        {
            "totals": manifest.totals,
            "threshold": manifest.threshold,
            "samples_read": totals.samples_read,
            "by_threshold": totals.by_threshold,
            "labels_per_sample": {
                str(labels): count for labels, count in enumerate(totals.labels_per_sample.tolist()) if count
            },
            "without_labels": totals.without_labels,
            "matching": len(table),
            "classes": table.slice(0, limit or None).to_pylist(),
        }
    )


def show(label_set: "LabelSet", totals: "Totals", every: "pa.Table", table: "pa.Table", limit: int) -> None:
    """All classes, then sums. `every`: all of them; `table`: the same in the order asked for."""
    if len(table):
        _show_classes(table, limit)
        stdout.print()
    else:
        stdout.print(f"{label_set.root} has no classes at all.", markup=False)
    _show_totals(label_set, totals, every)


def show_some(label_set: "LabelSet", every: "pa.Table", table: "pa.Table", limit: int) -> None:
    """The classes asked for, and what part of all they are."""
    if not len(table):
        stdout.print(f"No class of {label_set.root} is like that.", markup=False)
        return
    _show_classes(table, limit)
    support, total = (sum(each["support"].to_pylist()) for each in (table, every))
    share = _percent(support / max(1, total))
    stdout.print(f"\n{len(table):,} of {len(every):,} classes, with {share} of all labels.", markup=False)


def _show_classes(table: "pa.Table", limit: int) -> None:
    import pyarrow.compute as pc

    rows = table.slice(0, limit or None).to_pylist()
    # Class ids fall in support, so where they rise the rarest stand last.
    by_support = pc.all(pc.less(table["class_id"][:-1], table["class_id"][1:])).as_py()
    left = len(table) - len(rows)
    rarest = table.slice(len(table) - _RAREST).to_pylist() if left > _RAREST and by_support else []
    families = set(table["family"].to_pylist())
    columns = [("rank", "right"), ("synset", "left"), ("support", "right"), ("share", "right")]
    columns += [("family", "left")] if len(families) > 1 else []
    columns += [("branch", "left"), ("term", "left"), ("ambiguity", "right"), ("flags", "left"), ("gloss", "left")]
    cells = []
    for row in [*rows, None, *rarest] if rarest else rows:
        if row is None:
            cells.append(["…"] + [""] * (len(columns) - 1))
            continue
        cell = [f"{row['class_id'] + 1:,}", row["synset"], f"{row['support']:,}", _percent(row["share"])]
        cell += [row["family"]] if len(families) > 1 else []
        cell += [row["branch"] or "", row["top_term"] or "", _percent(row["ambiguity"], digits=0)]
        cells.append([*cell, ", ".join(row["flags"]), row["gloss"].partition('; "')[0]])
    print_table(columns, cells)
    if left > len(rarest):
        stdout.print(
            f"{left - len(rarest):,} more between; --limit 0 shows all."
            if rarest
            else f"… {left:,} more; --limit 0 shows all.",
            style="dim",
        )


def _show_totals(label_set: "LabelSet", totals: "Totals", every: "pa.Table") -> None:
    manifest = label_set.manifest
    read = totals.samples_read
    labelled = f", {_percent(manifest.totals.labelled / read)} with labels" if read else ": a vocabulary alone"
    facts = [("samples", f"{manifest.totals.samples:,}{labelled}"), ("classes", f"{len(every):,}")]
    if read:
        mean = float(totals.labels_per_sample @ range(len(totals.labels_per_sample))) / read
        facts.append(("labels a sample", f"{mean:.2f}"))
    if manifest.vocabulary_from is not None:
        facts.append(("support", f"of another corpus; the vocabulary is that of {manifest.vocabulary_from}"))
    if read < manifest.totals.samples:
        facts.append(("read", f"{read:,} samples of shards spread evenly; shares below are theirs"))
    print_facts(f"Vocabulary of {label_set.root}", facts)
    thresholds = [at for at in totals.by_threshold if at.classes]
    if thresholds:
        print_table(
            [("more support than", "right"), ("classes", "right"), ("samples with one or more", "right")],
            [
                (f"{at.threshold:,}", f"{at.classes:,}", _percent(at.samples / read) if read else "")
                for at in thresholds
            ],
        )
    if read:
        print_table([("labels a sample", "right"), ("samples", "right"), ("", "left")], _histogram(totals))
        reasons = [(_percent(count / read), reason) for reason, count in totals.without_labels.items()]
        if reasons:
            print_table([("samples without labels", "right"), ("because", "left")], reasons)
    if facts := _flag_facts(every):
        print_facts("To look at", facts)


def _histogram(totals: "Totals") -> list[tuple[str, str, str]]:
    counts = totals.labels_per_sample.tolist()
    many = next((n for n in range(len(counts)) if sum(counts[n:]) < _FEW * sum(counts)), len(counts))
    many = min(many, _MOST_LINES)
    shown = [(f"{number}", count) for number, count in enumerate(counts[:many])]
    if rest := sum(counts[many:]):
        shown.append((f"{many} or more", rest))
    most = max((count for _, count in shown), default=0) or 1
    return [
        (name, _percent(count / max(1, totals.samples_read)), "█" * round(_BAR * count / most)) for name, count in shown
    ]


def _flag_facts(every: "pa.Table") -> list[tuple[str, str]]:
    from labelgen.audit.flags import FLAG_TEXTS

    support, ambiguity = every["support"].to_numpy(), every["ambiguity"].to_pylist()
    facts = []
    if len(every) and ambiguity[0] is not None:  # None of all where WordNet is not here
        ambiguous = sum(share * count for share, count in zip(ambiguity, support.tolist(), strict=True))
        share = ambiguous / max(1, support.sum())
        facts.append(
            ("ambiguity", f"{_percent(share)} of the labels come from terms that captions use in other senses, too")
        )
    counts = Counter(flag for flags in every["flags"].to_pylist() for flag in flags)
    return facts + [(flag, f"{_classes(counts[flag])}: {text}") for flag, text in FLAG_TEXTS.items() if counts[flag]]


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number:,} classes"


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None else f"{100 * share:.{digits}f} %"
