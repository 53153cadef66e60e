"""A small convolutional network reads handwritten digits, with NumPy and fastconv: python docs/digits.py

digits.npz holds its weights and the 8 × 8 images it has not seen in training; train_digits.py made it.
"""

from pathlib import Path

import numpy as np

from fastconv import nn

FILE = Path(__file__).with_name("digits.npz")


def relu(x):
    return np.maximum(x, 0)


def max_pool(x):
    """The largest of each 2 × 2 pixels."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def network(p):
    """The function from images (N, 1, 8, 8) to the scores (N, 10) of the digits, for parameters p."""
    first = nn.Conv2d(p["w1"], p["b1"], padding="same")
    second = nn.Conv2d(p["w2"], p["b2"], padding="same")
    last = nn.Conv2d(p["w3"], p["b3"])

    def scores(images):
        return last(max_pool(relu(second(relu(first(images))))))[:, :, 0, 0]

    return scores


def evaluate():
    """The share of unseen digits that are read right, and their number."""
    with np.load(FILE) as data:
        read = network(data)(data["images"][:, None].astype(np.float32) / 16).argmax(1)
        return float((read == data["digits"]).mean()), len(read)


if __name__ == "__main__":
    share, n = evaluate()
    print(f"{share:.1%} of {n} digits not seen in training are read right")
