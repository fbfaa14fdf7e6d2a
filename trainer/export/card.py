"""The model card: README.md of an exported folder, in the form that hubs show."""

from collections.abc import Sequence
from pathlib import Path

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet, Manifest
from labelshards.schema import VOCABULARY_NAME
from labelshards.vocabulary import Vocabulary
from trainer import config, run
from trainer.export.config import ExportConfig
from trainer.naming import PROBE_FOLDER
from trainer.objectives.kinds import kind_of
from trainer.probes import results
from trainer.settings import as_toml

NAME = "README.md"
UNKNOWN_LICENCE = "unknown"
# The licences that Hugging Face's hub has no word for.
OTHER_LICENCE = "other"
_NAMED_CLASSES = 10
_TOLD_PARTS = 2  # of a path

Section = tuple[str, Sequence[str]]


def of_run(
    folder: Path, record: run.RunRecord, vocabulary: Vocabulary | None, export: ExportConfig, licence: str
) -> str:
    """The card of a run's encoder: what it was trained on and how, what probes found, how to load it, its limits."""
    origin, model = export.catlip, record.config.model
    weights = "the running average of the weights (EMA)" if origin.weights == "ema" else "the last step's weights"
    about = [
        f"- architecture: `{model.name}` of timm" + (f" with `{model.kwargs}`" if model.kwargs else ""),
        f"- weights: {weights} after step {origin.step:,}",
        f"- samples seen: {origin.samples:,}; there are {record.num_samples:,}",
        f"- pictures: {model.image_size} x {model.image_size} pixels, mean {list(model.mean)}, std {list(model.std)}",
    ]
    opening = f"An image encoder that learned {kind_of(record.config).learned}. Trained and exported with catlip."
    sections: list[Section] = [
        ("Model", about),
        ("Data", _data(record)),
        *([("Vocabulary", classes(vocabulary, export))] if vocabulary else []),
        ("Recipe", ["```toml", *_recipe(record.config), "```"]),
        ("Probes", _probes(folder / PROBE_FOLDER)),
    ]
    return card(folder.resolve().name, opening, sections, export, licence)


def card(name: str, opening: str, sections: Sequence[Section], export: ExportConfig, licence: str) -> str:
    """A card with `sections`, and after them what every card says: how to load the model, and its limits."""
    task = "image-classification" if export.num_classes else "image-feature-extraction"
    lines = ["---", "library_name: timm", f"pipeline_tag: {task}", f"license: {licence}"]
    lines += ["tags:", "- timm", "- catlip", f"- {task}", "---", "", f"# {name}", "", opening]
    if licence == UNKNOWN_LICENCE:
        lines += ["", "Nobody has said yet under which licence it may be used."]
    for title, content in [*sections, ("How to load it", _loading(export)), ("Limits", _limits(export))]:
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def classes(vocabulary: Vocabulary, export: ExportConfig) -> list[str]:
    """What a card says of the classes that a model was trained on."""
    first = ", ".join(f"`{name}`" for name in vocabulary.synsets[:_NAMED_CLASSES])
    more = ", …" if len(vocabulary) > _NAMED_CLASSES else ""
    lines = [f"{len(vocabulary):,} classes, synsets of WordNet 3.0 (digest `{vocabulary.digest}`): {first}{more}."]
    if export.num_classes:
        lines.append(f"`{VOCABULARY_NAME}` has them by class id, `config.json` by their ImageNet ids.")
    else:
        lines.append("The head that told them apart is not here.")
    return lines


def _data(record: run.RunRecord) -> list[str]:
    try:
        found = [LabelSet.open(uri) for uri in record.label_sets]
        same = run.labels_digest(found) == record.labels_digest
    except (CatlipError, OSError):
        same = False
    if not same:
        return [f"- label set `{short(uri)}`, which is no longer there as it was" for uri in record.label_sets]
    return [line for label_set in found for line in _labels(label_set.manifest)]


def _labels(manifest: Manifest) -> list[str]:
    provenance, totals = manifest.provenance, manifest.totals
    tools = [f"{tool} {facts['version']}" for tool, facts in provenance.tools.items() if "version" in facts]
    how = [f"labeler `{provenance.labeler}`", *tools]
    if manifest.threshold is not None:
        how.insert(1, f"classes with more than {manifest.threshold:,} samples")
    return [
        f"- pictures and captions: {', '.join(f'`{short(source)}`' for source in provenance.sources) or 'not told'}",
        f"- samples: {totals.samples:,}, of which {totals.labelled:,} have labels, {totals.labels:,} altogether",
        f"- labels: {', '.join(how)}",
    ]


def short(uri: str) -> str:
    """Enough of a path to say which data it was, and not whose disk it lay on."""
    return "/".join(uri.rstrip("/").split("/")[-_TOLD_PARTS:])


def _recipe(settings: config.Config) -> list[str]:
    """What differs from the defaults, as TOML."""
    changed = config.differences(config.Config(), settings)
    return [f"{key} = {as_toml(value)}" for key, _, value in changed if value is not None]


def _probes(folder: Path) -> list[str]:
    lines = []
    for path in sorted(folder.glob("*.json")):
        result = results.read(path)
        if result.model.kind != "run":  # another model was probed with --out to here
            continue
        probe = f"{result.task}, {result.protocol}, step {result.model.step:,}"
        told = {
            (score.encoder, score.setting): ", ".join(f"{name} {each.mean:.1%}" for name, each in score.metrics.items())
            for score in result.scores
        }
        for (encoder, setting), metrics in told.items():
            if encoder == "model":
                beside = told.get(("random", setting), "")
                lines.append(f"| {result.data.name} | {probe} | {setting} | {metrics} | {beside} |")
    head = ["| data | probe | setting | this model | random weights |", "| --- | --- | --- | --- | --- |"]
    return [*head, *lines] if lines else ["None was run."]


def _loading(export: ExportConfig) -> list[str]:
    if not export.num_classes:
        last = "    features = model(picture[None])"
    elif export.catlip.loss == "softmax":
        last = "    shares = model(picture[None]).softmax(-1)"
    else:
        last = "    probabilities = model(picture[None]).sigmoid()"
    return [
        "```python",
        "import timm",
        "import torch",
        "from PIL import Image",
        *(
            ["import trainer.corenet.vit  # of catlip: timm lacks this stem"]
            if export.catlip.made_from == "corenet"
            else []
        ),
        "",
        'model = timm.create_model("local-dir:.", pretrained=True).eval()  # or "hf-hub:OWNER/NAME"',
        "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))",
        'picture = transform(Image.open("picture.jpg").convert("RGB"))',
        "with torch.inference_mode():",
        last,
        "```",
    ]


def _limits(export: ExportConfig) -> list[str]:
    size, fixed = export.image_size, export.pretrained_cfg["fixed_input_size"]
    lines = [f"- It takes pictures of {size} x {size} pixels{' alone' if fixed else '; others were not measured'}."]
    if export.catlip.vocabulary_digest is None:
        return lines
    lines += [
        "- It knows what captions name, as often and in the words in which they name it; what people see and do not "
        "write down it has not learned.",
        "- Words of captions were given senses by a program, which errs: a class may be something else than it says.",
        "- Captions from the web carry the views of those who wrote them, also of people. Nothing here corrects that.",
    ]
    if export.num_classes:
        lines.append(
            "- A probability says how likely a caption would name the thing, not how likely the thing is there."
        )
    return lines
