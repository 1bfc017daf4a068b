import torch

from recurra.data.batches import IGNORED, LengthBatches, TokenBatches
from recurra.data.vocabulary import END, START, UNKNOWN

SEQUENCES = [[3, 4, 5], [6], [7, 8], [3], [9, 10, 11, 12]]


def rows_of(batches: TokenBatches) -> list[tuple[int, ...]]:
    """Return the sequences that one pass predicts, ends and padding taken off."""
    return [
        tuple(int(n) for n in column if n not in (IGNORED, END))
        for batch in batches
        for column in batch.targets.T
    ]


def test_each_symbol_is_predicted_from_those_before_it() -> None:
    (batch,) = TokenBatches([[3, 4]], batch_size=1)
    assert batch.inputs.T.tolist() == [[START, 3, 4]]
    assert batch.targets.T.tolist() == [[3, 4, END]]


def test_padding_is_ignored_as_a_target() -> None:
    (batch,) = TokenBatches([[3], [4, 5, 6]], batch_size=2)
    assert batch.targets.T.tolist() == [[3, END, IGNORED, IGNORED], [4, 5, 6, END]]
    assert batch.inputs.shape == (4, 2)


def test_every_pass_has_every_sequence_once_in_another_order() -> None:
    draw = torch.Generator().manual_seed(0)
    batches = TokenBatches(SEQUENCES, batch_size=2, generator=draw)
    passes = [rows_of(batches) for _ in range(6)]
    for rows in passes:
        assert sorted(rows) == sorted(map(tuple, SEQUENCES))
    assert len({tuple(rows) for rows in passes}) > 1


def test_the_same_generator_seed_gives_the_same_passes() -> None:
    def passes() -> list[list[tuple[int, ...]]]:
        draw = torch.Generator().manual_seed(7)
        batches = TokenBatches(SEQUENCES, batch_size=2, generator=draw)
        return [rows_of(batches) for _ in range(3)]

    assert passes() == passes()


def test_without_a_generator_the_order_is_by_length_and_stays() -> None:
    batches = TokenBatches(SEQUENCES, batch_size=2)
    assert len(batches) == 3
    assert [len(row) for row in rows_of(batches)] == [1, 1, 2, 3, 4]
    assert rows_of(batches) == rows_of(batches)


def test_labels_and_weights_go_with_their_sequences() -> None:
    labels, weights = [0, 1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0, 4.0]
    draw = torch.Generator().manual_seed(0)
    batches = TokenBatches(SEQUENCES, labels, weights, batch_size=2, generator=draw)
    seen = 0
    for batch in batches:
        assert batch.condition is not None
        assert batch.weights is not None
        for column, label, weight in zip(
            batch.targets.T, batch.condition, batch.weights, strict=True
        ):
            row = [int(n) for n in column if n not in (IGNORED, END)]
            assert row == SEQUENCES[int(label)]
            assert float(weight) == float(label)
            seen += 1
    assert seen == 5


def test_a_rare_symbol_read_as_unknown_is_so_as_input_and_as_target() -> None:
    rare = torch.zeros(13, dtype=torch.bool)
    rare[4] = True
    draw = torch.Generator().manual_seed(0)
    batches = TokenBatches([[3, 4, 5]] * 200, batch_size=200, generator=draw, rare=rare)
    (batch,) = batches
    gone = batch.inputs[2] == UNKNOWN
    assert torch.equal(gone, batch.targets[1] == UNKNOWN)
    assert 0.1 < float(gone.float().mean()) < 0.3  # the rate is 0.2
    assert bool((batch.inputs[1] == 3).all())
    assert bool((batch.inputs[0] == START).all())


def test_forgetting_a_rare_symbol_leaves_the_sequences_themselves() -> None:
    rare = torch.ones(13, dtype=torch.bool)
    draw = torch.Generator().manual_seed(0)
    batches = TokenBatches([[3, 4, 5]] * 50, batch_size=50, generator=draw, rare=rare)
    first, second = next(iter(batches)), next(iter(batches))
    assert not torch.equal(first.inputs, second.inputs)
    back = torch.where(second.inputs == UNKNOWN, first.inputs, second.inputs)
    assert bool((back[1:] != UNKNOWN).any())


def test_a_batch_has_no_more_steps_than_allowed_unless_it_is_one_row() -> None:
    lengths = [5, 1, 9, 2, 2, 30, 1, 4]
    batches = LengthBatches(lengths, lambda chosen: chosen.tolist(), batch_size=3, most=12)
    made = list(batches)
    assert sorted(k for rows in made for k in rows) == list(range(8))
    assert len(batches) == len(made)
    for rows in made:
        assert len(rows) <= 3
        assert len(rows) == 1 or len(rows) * max(lengths[k] for k in rows) <= 12
    assert [5] in made
    assert [1, 6, 3] in made  # as many as fit


def test_without_rows_there_is_no_batch() -> None:
    assert list(LengthBatches([], lambda chosen: chosen, batch_size=3, most=12)) == []
