import torch

from recurra.data.vocabulary import UNKNOWN
from recurra.data.words import WordBook
from recurra.networks.readers import NumberReader, SymbolReader, WordReader


def book() -> WordBook:
    return WordBook.of([(["happy", "happy", "very"], 2.0)])


def test_each_word_is_read_alike_wherever_it_stands() -> None:
    reader = WordReader(len(book()), book().buckets, 6).eval()
    x = reader(book().batch([["very", "happy"], ["happy"]]))
    assert x.shape == (2, 2, 6)
    assert torch.equal(x[1, 0], x[0, 1])
    assert not torch.equal(x[0, 0], x[0, 1])


def test_a_word_never_seen_is_read_by_its_spelling() -> None:
    reader = WordReader(len(book()), book().buckets, 64).eval()
    happier, xylem, happy = reader(book().batch([["happier", "xylem", "happy"]]))[:, 0]
    spelt = happy - reader.words.weight[book().vocabulary.encode(["happy"])[0]]
    unknown = reader.words.weight[UNKNOWN]
    near = torch.cosine_similarity(happier - unknown, spelt, dim=0)
    far = torch.cosine_similarity(xylem - unknown, spelt, dim=0)
    assert near > far + 0.1


def test_words_are_forgotten_in_training_only() -> None:
    torch.manual_seed(0)
    reader = WordReader(len(book()), book().buckets, 6, forget=0.999)
    batch = book().batch([["happy"]])
    trained = reader(batch)
    reader.eval()
    known = reader(batch)
    number = book().vocabulary.encode(["happy"])[0]
    moved = reader.words.weight[UNKNOWN] - reader.words.weight[number]
    assert torch.allclose(trained - known, moved.expand_as(known), atol=1e-6)


def test_symbols_are_forgotten_in_training_only() -> None:
    torch.manual_seed(0)
    reader = SymbolReader(5, 3, forget=0.999)
    symbols = torch.full((4, 2), 4)
    assert torch.equal(reader(symbols), reader.embedding.weight[UNKNOWN].expand(4, 2, 3))
    assert torch.equal(reader.eval()(symbols), reader.embedding.weight[4].expand(4, 2, 3))


def test_numbers_are_scaled_by_mean_and_deviation() -> None:
    reader = NumberReader([10.0, 0.0], [2.0, 1.0])
    x = reader(torch.tensor([[[12.0, 3.0]]], dtype=torch.float64))
    assert torch.equal(x, torch.tensor([[[1.0, 3.0]]]))
    assert x.dtype == torch.float32
    assert set(reader.state_dict()) == {"mean", "deviation"}
