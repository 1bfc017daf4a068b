"""The model that is served: a tagger of characters with an LSTM of 128, and what it must say."""

import random
from pathlib import Path

import numpy as np
import safetensors.torch

from recurra import SequenceTagger
from recurra.export import torch_weights

ALPHABET = "abcdefghijklmnopqrstuvwxyz .,"


def tag_of(symbol: str) -> str:
    return "vowel" if symbol in "aeiou" else "end" if symbol in " .," else "other"


def fitted(folder: Path, hidden: int = 128) -> SequenceTagger:
    """Return a tagger that was shown a little text, saved in a folder."""
    draw = random.Random(0)
    texts = ["".join(draw.choices(ALPHABET, k=40)) for _ in range(200)]
    tags = [list(map(tag_of, text)) for text in texts]
    model = SequenceTagger(
        hidden_size=hidden, embedding_size=32, bidirectional=False, tokens="char", epochs=1,
        random_state=0,
    )  # fmt: skip
    model.fit(texts, tags).save(folder)
    return model


def write_plain(model: SequenceTagger, path: Path) -> None:
    """Write the weights as torch.nn's modules take them."""
    network = model.network_
    weights = {f"lstm.{k}": v for k, v in torch_weights(network.encoder.recurrent).items()}
    weights["embedding.weight"] = network.encoder.reader.embedding.weight.detach()
    weights["head.weight"] = network.head.weight.detach()
    weights["head.bias"] = network.head.bias.detach()
    alphabet = "".join(model.reading_.symbols)
    safetensors.torch.save_file(weights, path, {"alphabet": alphabet})


def write_expected(model: SequenceTagger, path: Path, streams: int, steps: int) -> None:
    """Write texts, and what `estimator.stream()` alone says of each: (streams, steps, tags)."""
    draw = random.Random(1)
    texts = ["".join(draw.choices(ALPHABET, k=steps)) for _ in range(streams)]
    p = []
    for text in texts:
        stream = model.stream()
        p.append(np.concatenate([stream.push(symbol) for symbol in text]))
    np.savez(path, texts=np.array(texts), p=np.array(p))
