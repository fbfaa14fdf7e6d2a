"""Train a timm model on a label set with timm's own loop: its loader, loss, optimiser, schedule and average of weights.

`python train_timm.py LABELS [MODEL]`, on what there is. The parts are those of timm's train.py.
"""

import sys

import timm
import torch
from timm.data import create_loader
from timm.loss import BinaryCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, ModelEmaV3

from trainer.dataset import LabelSetDataset


def main(labels: str, name: str = "test_vit", epochs: int = 2, batch_size: int = 32) -> None:
    """Learn the classes of the label set in folder `labels`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = LabelSetDataset(labels)
    model = timm.create_model(name, num_classes=len(dataset.vocabulary)).to(device)
    data = timm.data.resolve_model_data_config(model)
    # timm puts its transform into the data set. Its prefetcher takes one class a picture, so pictures come as floats.
    loader = create_loader(
        dataset,
        input_size=data["input_size"],
        mean=data["mean"],
        std=data["std"],
        batch_size=min(batch_size, len(dataset)),  # it drops batches that are not full
        is_training=True,
        use_prefetcher=False,
        num_workers=2,
        device=device,
    )
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05)
    scheduler, _ = create_scheduler_v2(optimizer, sched="cosine", num_epochs=epochs, warmup_epochs=0)
    average = ModelEmaV3(model, decay=0.99)
    loss_function = BinaryCrossEntropy(smoothing=0.0, sum_classes=True)
    for epoch in range(epochs):
        losses = AverageMeter()
        model.train()
        for pictures_BCHW, targets_BK in loader:
            loss = loss_function(model(pictures_BCHW.to(device)), targets_BK.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update(model)
            losses.update(loss.item(), len(targets_BK))
        scheduler.step(epoch + 1)
        print(f"epoch {epoch + 1}: loss {losses.avg:.3f} over {len(dataset.vocabulary):,} classes")


if __name__ == "__main__":
    main(*sys.argv[1:3])
