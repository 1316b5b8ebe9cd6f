"""Train a reference network on a data set, uncut and on one core, and print the held-out accuracy of every epoch.

python datasets/measure.py digits lenet --epochs 12
"""

import argparse
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from splitlab.data import Data, augment, epoch_batches, load_data
from splitlab.models import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="by name or call: digits, 'fashion_mnist(limit=5000)'")
    parser.add_argument("model", help="by name or call: lenet, 'resnet18(width=32)'")
    parser.add_argument("--root", help="folder with the files; else SPLITLAB_DATA")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--augment", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    data = load_data(options.data, **({"root": options.root} if options.root else {}))
    model = load(options.model, data, options.seed).to(options.device)
    train(model, data, options)


def train(model: torch.nn.Module, data: Data, options: argparse.Namespace) -> None:
    alter = augment(options.augment)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    start = time.monotonic()
    for epoch in range(options.epochs):
        model.train()
        for step, batch in enumerate(epoch_batches(np.arange(len(data.train)), options.batch, options.seed, 0, epoch)):
            x, y = data.batch(batch)
            x = alter(x, options.seed, 0, epoch, step)
            optimizer.zero_grad()
            cross_entropy(model(x.to(options.device)), y.to(options.device)).backward()
            optimizer.step()
        schedule.step()
        score, seconds = accuracy(model, data, options.device), time.monotonic() - start
        print(f"epoch {epoch + 1:>3}  held out {score:6.2%}  {seconds:6.0f} s", flush=True)


@torch.no_grad()
def accuracy(model: torch.nn.Module, data: Data, device: str) -> float:
    model.eval()
    hits = 0
    for indices in torch.arange(len(data.test)).split(1000):
        x, y = data.batch(indices, "test")
        hits += int((model(x.to(device)).argmax(1).cpu() == y).sum())
    return hits / len(data.test)


if __name__ == "__main__":
    main()
