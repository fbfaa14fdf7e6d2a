"""`catlip export`: options → trainer.export → a folder, and a hub."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from catlip_cli import exported, terminal
from catlip_cli.options import best_option, json_option, out_option

if TYPE_CHECKING:
    from trainer.export.hub import Destination

FORMATS = ("timm", "onnx", "safetensors")
# What Python says of a file of the forms that no command here takes.
_LOOKS = {
    "onnx": "import onnxruntime; print([each.shape for each in onnxruntime.InferenceSession({!r}).get_inputs()])",
    "safetensors": "import safetensors.torch; print(list(safetensors.torch.load_file({!r})))",
}


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@best_option
@click.option("--last-step", is_flag=True, help="Of a run: the last step's weights, not their average (EMA).")
@out_option("DIR", "the model", local=True)
@click.option("--format", "form", type=click.Choice(FORMATS), default="timm", show_default=True,
              help="Form of what is written. timm: a folder that timm loads; onnx: the same for ONNX Runtime; "
              "safetensors: the weights alone.")  # fmt: skip
@click.option("--backbone-only", is_flag=True, help="Leave the head off: the model gives features.")
@click.option("--license", "licence", metavar="ID", help="Of a run: the card's licence, as hubs write it (apache-2.0).")
@click.option("--push-to-hub", "repo", metavar="OWNER/NAME",
              help="Send the folder to this model of the Hugging Face hub.")  # fmt: skip
@click.option("--private", is_flag=True, help="With --push-to-hub: a model that others do not see.")
@click.option("--dry-run", is_flag=True, help="With --push-to-hub: say what would be sent, and send nothing.")
@json_option
def export(
    model: Path,
    best: bool,
    last_step: bool,
    out: Path,
    form: str,
    backbone_only: bool,
    licence: str | None,
    repo: str | None,
    private: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a trained encoder for other programs.

    MODEL is a run, or a folder that was exported or imported before. With --format timm, DIR holds weights, names of
    the classes, and a model card; timm.create_model("local-dir:DIR", pretrained=True) loads it, and so does every
    command here that takes a model. ONNX is checked against PyTorch before it is there.

    \b
    Examples:
      catlip export demo/run --out demo/model
      catlip export demo/run --out demo/onnx --format onnx --backbone-only
      catlip export run --out model --license apache-2.0 --push-to-hub OWNER/NAME --dry-run
    """
    if (private or dry_run) and not repo:
        raise click.UsageError("--private and --dry-run go with --push-to-hub.")
    from trainer.naming import kind_of_folder

    kind_of_folder(model)  # a mistyped path is told before torch is there, which takes seconds
    from trainer.export import folder, hub, sources

    there = hub.destination(repo) if repo else None  # a wrong name is told before anything is written
    exportable = sources.open_exportable(
        model, best=best, averaged=not last_step, backbone_only=backbone_only, licence=licence
    )
    written = folder.write(exportable, out, form)
    sent = hub.send(out, written.files, repo, private) if repo and not dry_run else None
    if as_json:
        hub_facts = {"hub": there.url if there else None, "commit": sent}
        terminal.print_json({**exported.as_json(exportable, written, out), "format": form, **hub_facts})
        return
    facts = exported.facts(exportable, written)
    if there:
        facts.append(("hub", _told(there, written.files, private, sent)))
    terminal.print_facts(f"Wrote {out}", facts)
    if form == "timm":
        terminal.print_next("catlip", "probe", str(out), "--data", "DATA")
    else:
        terminal.print_next("python", "-c", _LOOKS[form].format(str(out / f"model.{form}")))


def _told(there: "Destination", files: dict[str, int], private: bool, sent: str | None) -> str:
    if sent:
        return f"sent: {sent}"
    token = "" if there.has_token else "; this machine has no token for it (`hf auth login`)"
    kind = "a private" if private else "a public"
    total = terminal.size(sum(files.values()))
    return f"would send {terminal.count(len(files), 'file')}, {total}, to {kind} model at {there.url}{token}"
