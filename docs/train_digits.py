"""Trains the network of digits.py and writes digits.npz: python docs/train_digits.py (needs scikit-learn)

Gradients are fastconv's, the optimiser is Adam (D. Kingma and J. Ba, ICLR 2015), the data scikit-learn's
digits: 1797 images of 8 × 8 pixels, a fifth of which are held out.
"""

import numpy as np
from digits import FILE, evaluate, max_pool, network, relu
from sklearn.datasets import load_digits

from fastconv import nn

EPOCHS, BATCH, RATE, DECAY = 60, 64, 2e-3, 1e-4
SHAPES = {"w1": (12, 1, 3, 3), "w2": (24, 12, 3, 3), "w3": (10, 24, 4, 4)}


def parameters(rng):
    p = {}
    for name, shape in SHAPES.items():
        p[name] = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        p[name.replace("w", "b")] = np.zeros(shape[0], np.float32)
    return p


def loss_and_gradients(p, images, digits):
    """The mean cross entropy of a batch, and its gradients by parameter."""
    a1 = nn.conv2d(images, p["w1"], p["b1"], padding="same")
    h1 = relu(a1)
    a2 = nn.conv2d(h1, p["w2"], p["b2"], padding="same")
    h2 = relu(a2)
    pooled = max_pool(h2)
    scores = nn.conv2d(pooled, p["w3"], p["b3"])[:, :, 0, 0]
    scores -= scores.max(1, keepdims=True)
    chance = np.exp(scores)
    chance /= chance.sum(1, keepdims=True)
    rows = np.arange(len(digits))
    loss = -np.log(chance[rows, digits]).mean()

    chance[rows, digits] -= 1
    g3 = (chance / len(digits))[:, :, None, None]
    g_pooled = nn.conv2d_input(pooled.shape, p["w3"], g3)
    largest = h2 == pooled.repeat(2, 2).repeat(2, 3)
    g2 = g_pooled.repeat(2, 2).repeat(2, 3) * largest * (a2 > 0)
    g1 = nn.conv2d_input(h1.shape, p["w2"], g2, padding="same") * (a1 > 0)
    return loss, {
        "w1": nn.conv2d_weight(images, p["w1"].shape, g1, padding="same"),
        "w2": nn.conv2d_weight(h1, p["w2"].shape, g2, padding="same"),
        "w3": nn.conv2d_weight(pooled, p["w3"].shape, g3),
        "b1": g1.sum((0, 2, 3)),
        "b2": g2.sum((0, 2, 3)),
        "b3": g3.sum((0, 2, 3)),
    }


def moved(images, rng):
    """Each image shifted by up to one pixel in both directions."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), (2, 3))
    y, x = rng.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), :, y, x]


def train(images, digits, rng):
    p = parameters(rng)
    mean = {name: np.zeros_like(x) for name, x in p.items()}
    square = {name: np.zeros_like(x) for name, x in p.items()}
    step = 0
    for epoch in range(EPOCHS):
        order, losses = rng.permutation(len(images)), []
        rate = RATE * (1 - epoch / EPOCHS)
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            loss, gradients = loss_and_gradients(p, moved(images[some], rng), digits[some])
            losses.append(loss)
            step += 1
            for name, g in gradients.items():
                g = g + DECAY * p[name] * name.startswith("w")
                mean[name] += 0.1 * (g - mean[name])
                square[name] += 0.001 * (g * g - square[name])
                unbiased = mean[name] / (1 - 0.9**step), square[name] / (1 - 0.999**step)
                p[name] -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")
    return p


def main():
    data = load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(data.images))
    held_out, rest = order[: len(order) // 5], order[len(order) // 5 :]
    images = data.images[rest][:, None].astype(np.float32) / 16
    p = train(images, data.target[rest], rng)
    read = network(p)(images).argmax(1)
    print(f"{(read == data.target[rest]).mean():.1%} of {len(rest)} digits seen in training are read right")
    unseen = {
        "images": data.images[held_out].astype(np.uint8),
        "digits": data.target[held_out].astype(np.uint8),
    }
    np.savez_compressed(FILE, **p, **unseen)
    print("{:.1%} of {} digits not seen in training are read right".format(*evaluate()))


if __name__ == "__main__":
    main()
