"""Write omniglot_small_28.npz: eight alphabets of Omniglot, fetched through torchvision, at 28x28 pixels, ink = 255."""

import argparse
from pathlib import Path

import numpy as np

from splitlab.data import load_data
from splitlab.vision import torchvision

ALPHABETS = ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin", "Japanese_(katakana)", "Sanskrit", "Tagalog")


def convert(source: Path, target: Path) -> None:
    """`source` holds a folder per alphabet, in each a folder per character, in each a drawing `<any>_<drawer>.png`."""
    rows, characters = [], 0
    for index, alphabet in enumerate(ALPHABETS):
        for character in sorted((source / alphabet).iterdir()):
            for path in sorted(character.glob("*.png")):
                rows.append((shrink(path), characters, int(path.stem.rpartition("_")[2]), index))
            characters += 1
    x, y, drawer, alphabet = (np.array(column) for column in zip(*rows, strict=True))
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, x=x, y=y, drawer=drawer, alphabet=alphabet, alphabet_names=np.array(ALPHABETS))


def shrink(path: Path) -> np.ndarray:
    """A drawing of 105x105 as 28x28 means over 3 or 4 pixels each way; black becomes 255."""
    from PIL import Image

    ink = 255.0 * (np.asarray(Image.open(path).convert("L")) < 128)
    edges = np.arange(28) * len(ink) // 28
    sums = np.add.reduceat(np.add.reduceat(ink, edges, axis=0), edges, axis=1)
    width = np.diff(edges, append=len(ink))
    return np.floor(sums / np.outer(width, width) + 0.5).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder to keep the files in; name it in SPLITLAB_DATA")
    root = Path(parser.parse_args().root)
    torchvision().datasets.Omniglot(str(root), background=True, download=True)
    convert(root / "omniglot-py" / "images_background", root / "omniglot" / "omniglot_small_28.npz")
    print(load_data("omniglot", root=root))


if __name__ == "__main__":
    main()
