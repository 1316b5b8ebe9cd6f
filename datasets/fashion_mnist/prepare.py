"""Fetch Fashion-MNIST through torchvision, which checks the MD5 of every file, and show what came."""

import argparse

from splitlab.data import load_data

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--root", required=True, help="folder to keep the files in; name it in SPLITLAB_DATA afterwards")

if __name__ == "__main__":
    print(load_data("fashion_mnist", root=parser.parse_args().root))
