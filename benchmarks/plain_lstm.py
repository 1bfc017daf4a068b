"""The peer: the same name model as somebody writes it by hand in plain PyTorch.

Nothing here is Recurra's: torch.nn.LSTM, torch.optim, torch's own gradient clipping. It has the
sizes, the learning rate, the cosine, the batch size of ours and puts names of like length into a
batch; dropout is torch.nn.Dropout at 0.3 and weight decay AdamW's own 0.01, as is usual.
"""

import random
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

PAD, UNKNOWN, START, END = 0, 1, 2, 3
Row = tuple[str, str]  # name, country


class Model(nn.Module):
    def __init__(self, letters: int, countries: int, embedding: int, hidden: int, dropout: float):
        super().__init__()
        self.letter = nn.Embedding(letters, embedding)
        self.country = nn.Embedding(countries, embedding)
        self.lstm = nn.LSTM(2 * embedding, hidden, batch_first=True)
        self.project = nn.Linear(hidden, embedding)
        self.out = nn.Linear(embedding, letters)
        nn.init.normal_(self.letter.weight, std=embedding**-0.5)
        self.out.weight = self.letter.weight
        self.dropout = nn.Dropout(dropout)
        self.scale = embedding**0.5

    def forward(self, x: Tensor, country: Tensor) -> Tensor:
        label = self.country(country).unsqueeze(1).expand(-1, x.shape[1], -1)
        h, _ = self.lstm(self.dropout(torch.cat([self.letter(x) * self.scale, label], -1)))
        return self.out(self.project(self.dropout(h)))


class PlainLSTM:
    """A model and its training, an epoch at a time."""

    def __init__(
        self,
        train: list[Row],
        *,
        batch: int,
        hidden: int,
        embedding: int,
        rate: float,
        epochs: int,
    ):
        torch.manual_seed(0)
        self.random = random.Random(0)
        letters = sorted({letter for name, _ in train for letter in name})
        self.letters = {letter: k for k, letter in enumerate(letters, 4)}
        self.countries = {c: k for k, c in enumerate(sorted({c for _, c in train}))}
        self.train = [self._encode(row) for row in train]
        self.batch = batch
        self.model = Model(len(letters) + 4, len(self.countries), embedding, hidden, 0.3)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, epochs)

    def _encode(self, row: Row) -> tuple[Tensor, int]:
        name, country = row
        letters = [self.letters.get(letter, UNKNOWN) for letter in name]
        return torch.tensor([START, *letters, END]), self.countries[country]

    def _loss(self, rows: list[tuple[Tensor, int]]) -> tuple[Tensor, int]:
        padded = pad_sequence([row for row, _ in rows], batch_first=True, padding_value=PAD)
        x, y = padded[:, :-1], padded[:, 1:]
        logits = self.model(x, torch.tensor([country for _, country in rows]))
        total = F.cross_entropy(
            logits.flatten(0, 1), y.flatten(), ignore_index=PAD, reduction="sum"
        )
        return total, int((y != PAD).sum())

    def epoch(self) -> float:
        """Train for one epoch and return the seconds it took."""
        began = time.perf_counter()
        self.model.train()
        rows = sorted(self.train, key=lambda row: len(row[0]) + 2 * self.random.random())
        batches = [rows[k : k + self.batch] for k in range(0, len(rows), self.batch)]
        self.random.shuffle(batches)
        for batch in batches:
            total, count = self._loss(batch)
            self.optimizer.zero_grad()
            (total / count).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
        self.schedule.step()
        return time.perf_counter() - began

    @torch.no_grad()
    def evaluate(self, held_out: list[Row]) -> float:
        """Return the loss on names it was not trained on, in nats a character."""
        self.model.eval()
        rows = sorted((self._encode(row) for row in held_out), key=lambda row: len(row[0]))
        total = count = 0.0
        for k in range(0, len(rows), 256):
            batch_total, batch_count = self._loss(rows[k : k + 256])
            total, count = total + float(batch_total), count + batch_count
        return total / count
