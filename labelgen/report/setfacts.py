"""What the page says of a label set as a whole."""

import numpy as np

from labelgen.audit.associates import Pairs
from labelgen.audit.totals import Totals
from labelgen.report.company import company
from labelgen.report.data import SetFacts
from labelshards.labelset import LabelSet, Manifest

_SHOWN_THRESHOLDS = 3


def set_facts(
    label_set: LabelSet, name: str, totals: Totals, pairs: Pairs, places: np.ndarray, pictures_note: str | None
) -> SetFacts:
    """Of one label set with K classes. places: int64 [K], where they stand in the report."""
    manifest = label_set.manifest
    return SetFacts(
        name=name,
        made=_made(manifest),
        samples=manifest.totals.samples,
        labelled=manifest.totals.labelled,
        labels=manifest.totals.labels,
        classes=len(label_set.vocabulary),
        threshold=manifest.threshold,
        support_of=manifest.vocabulary_from,
        labels_per_sample=totals.labels_per_sample.tolist(),
        company=company(pairs, places),
        notes=_notes(manifest, totals),
        pictures_note=pictures_note,
    )


def _made(manifest: Manifest) -> str:
    made = manifest.provenance
    parts = [made.labeler]
    if "senses" in made.settings:
        parts.append(f"senses: {made.settings['senses']}")
    if manifest.threshold is not None:
        parts.append(f"threshold {manifest.threshold:,}")
    return " · ".join(filter(None, [*parts, ", ".join(made.sources)]))


def _notes(manifest: Manifest, totals: Totals) -> list[str]:
    read = totals.samples_read
    shown = [each for each in totals.by_threshold[1 : 1 + _SHOWN_THRESHOLDS] if each.classes and read]
    higher = [f"{each.classes:,} in {100 * each.samples / read:.1f} % at {each.threshold:,}" for each in shown]
    notes = [f"With a higher threshold, classes in so many samples: {', '.join(higher)}."] if higher else []
    notes += [f"{count:,} samples without labels: {why}." for why, count in totals.without_labels.items() if count]
    if totals.samples_read < manifest.totals.samples:
        notes.append(f"Shares of samples are those of {totals.samples_read:,}, spread evenly.")
    if manifest.vocabulary_from is not None:
        notes.append(f"Support is of the corpus of {manifest.vocabulary_from}, whose vocabulary was taken over.")
    return notes
