"""Train on a label set with PyTorch alone: any model, any loop. `python train_pytorch.py LABELS`, on what there is."""

import sys

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models import resnet18
from torchvision.transforms import v2

from trainer.dataset import LabelSetDataset


def main(labels: str, epochs: int = 2, image_size: int = 64) -> None:
    """Learn the classes of the label set in folder `labels`."""
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(image_size, scale=(0.3, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=[0.5] * 3, std=[0.5] * 3),
        ]
    )
    dataset = LabelSetDataset(labels, transform=transform)
    loader = DataLoader(dataset, batch_size=32, shuffle=True, num_workers=2)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = resnet18(num_classes=len(dataset.vocabulary)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    # Summed over the classes, as in the paper: a mean over thousands of them would hide the few that are there.
    loss_function = nn.BCEWithLogitsLoss(reduction="sum")
    for epoch in range(epochs):
        total = 0.0
        for pictures_BCHW, targets_BK in loader:
            loss = loss_function(model(pictures_BCHW.to(device)), targets_BK.to(device)) / len(targets_BK)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(targets_BK)
        print(f"epoch {epoch + 1}: loss {total / len(dataset):.3f} over {len(dataset.vocabulary):,} classes")


if __name__ == "__main__":
    main(sys.argv[1])
