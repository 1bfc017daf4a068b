"""Training on an endless sequence: the state is carried, the gradient stays in its chunk."""

import torch
from torch import Tensor, nn

from recurra import Recurrent
from recurra.data.chunks import Chunk, Chunks
from recurra.training import Trainer

N, B, K = 23, 2, 4


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = Recurrent("lstm", 2, 3)
        self.head = nn.Linear(3, 1)

    def forward(self, chunk: Chunk, state: object) -> tuple[Tensor, object]:
        out, state = self.layer(chunk.x, state, lengths=chunk.lengths, reset=chunk.reset)
        return self.head(out).squeeze(-1), state


def loss(model: Model, chunk: Chunk, state: object) -> tuple[Tensor, float, object]:
    found, state = model(chunk, state)
    return ((found - chunk.y) ** 2)[chunk.real].sum(), chunk.weight, state


def chunks(chunk: int = K) -> Chunks:
    generator = torch.Generator().manual_seed(1)
    starts = torch.zeros(N, dtype=torch.bool)
    starts[[5, 17]] = True
    x = torch.randn(N, 2, generator=generator)
    return Chunks(x, torch.randn(N, generator=generator), chunk=chunk, batch_size=B, starts=starts)


def test_the_loss_is_that_of_the_whole_sequence_in_any_chunks() -> None:
    model = Model()
    trainer = Trainer(model, loss, torch.optim.SGD(model.parameters(), 0.0), carry=True)
    whole = trainer.evaluate(chunks(N))
    for chunk in (1, 4, 7):
        assert abs(trainer.evaluate(chunks(chunk)) - whole) < 1e-6


def test_each_step_has_the_gradient_of_its_chunk_from_the_state_it_begins_in() -> None:
    model = Model()
    found: list[list[Tensor]] = []

    class Noting(Trainer):
        def clip_gradients(self) -> Tensor:
            found.append([p.grad.clone() for p in self.model.parameters()])
            return super().clip_gradients()

    Noting(model, loss, torch.optim.SGD(model.parameters(), 0.0), carry=True).fit(
        chunks(), epochs=2
    )
    assert len(found) == 2 * len(chunks())
    state = None
    for gradients, again, chunk in zip(found, found[len(chunks()) :], chunks(), strict=False):
        total, weight, state = loss(model, chunk, state)
        state = tuple(s.detach() for s in state)
        wanted = torch.autograd.grad(total / weight, list(model.parameters()))
        torch.testing.assert_close(gradients, list(wanted))
        torch.testing.assert_close(again, gradients)  # each epoch begins without a state


def test_a_validation_between_two_chunks_does_not_touch_the_state() -> None:
    model = Model()
    trainer = Trainer(model, loss, torch.optim.SGD(model.parameters(), 0.0), carry=True)
    pieces = iter(chunks())
    trainer.train_step(next(pieces))
    before = trainer.state
    trainer.evaluate(chunks())
    assert trainer.state is before
    assert before is not None
    assert not any(s.requires_grad for s in before)


def test_a_long_sequence_needs_no_more_memory_than_a_chunk() -> None:
    model = Model()
    trainer = Trainer(model, loss, torch.optim.SGD(model.parameters(), 0.0), carry=True)
    for chunk in chunks(1):
        trainer.train_step(chunk)
        assert all(s.grad_fn is None for s in trainer.state)
