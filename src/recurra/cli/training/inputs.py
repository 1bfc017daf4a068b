"""The examples of each task in a user's table."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.cli.reading import Loaded, Reader, read_series_rows, series_columns
from recurra.cli.training import columns as roles
from recurra.cli.training.columns import number_of
from recurra.cli.training.options import Inputs
from recurra.errors import ArgumentError, DataError
from recurra.tasks.judging.judged import Part

Given = Mapping[str, Any]
_BLANK = "__"


def load_examples(
    task: str,
    path: Path,
    given: Given,
    *,
    split_column: str | None = None,
    settings: Given | None = None,
    judging: bool = False,
) -> Loaded:
    """Read the examples of `task` at `path`.

    Args:
        task: "classify", "regress", "generate", "tag", "translate", "caption" or "fill".
        path: the user's table.
        given: the columns by their roles, None where they are to be guessed.
        split_column: a column that says train or test.
        settings: what else a task must know: `conllu`, the column of tags; `size` of pictures;
            `choices` of words for blanks.
        judging: whether nothing is learned from them, so that one class will do.

    Raises `DataError`, which names file and row, for what cannot be used.
    """
    if task == "tag" and path.suffix.lower() in (".conllu", ".conll"):
        return _from_conllu(path, str((settings or {}).get("conllu") or "UPOS"))
    reader = Reader(path)
    split = None
    if split_column is not None:
        split = reader.held_out(split_column)
        reader.take(split_column)
    X, y, condition = _TASKS[task](reader, given, settings or {})
    if task == "classify" and not judging and len(set(y)) < 2:
        raise DataError(
            f"{reader.source}: the label (column {reader.chosen['label']!r}) is {y[0]!r} in every "
            "row: there is nothing to tell apart."
        )
    loaded = reader.loaded(X, y, condition, split)
    return _with_blanks(loaded, settings or {}) if task == "fill" and y is None else loaded


def _with_blanks(loaded: Loaded, settings: Given) -> Loaded:
    """Return whole sentences as sentences with a blank; those of one sentence stay together."""
    from recurra.data.inputs import read_inputs
    from recurra.tasks.filling.reading import MARK, make_blanks

    try:
        rows, words, origins = make_blanks(
            read_inputs(loaded.part.X), settings.get("choices"), _BLANK
        )
    except DataError as error:
        raise DataError(f"{loaded.source}: {error}") from None
    X = [
        row.replace(MARK, _BLANK) if isinstance(row, str)
        else [_BLANK if symbol == MARK else symbol for symbol in row]
        for row in rows
    ]  # fmt: skip
    loaded.said.append(f"blanks: {len(X):,} made in {len(set(origins)):,} sentences")
    split = None if loaded.split is None else [loaded.split[k] for k in origins]
    groups = [loaded.part.X[k] for k in origins]
    at = [loaded.rows[k] for k in origins]
    return Loaded(loaded.source, Part(X, words), at, loaded.columns, loaded.said, split, groups)


def options_of(inputs: Inputs | None) -> dict[str, Any]:
    """Return the columns that the options for texts and series name."""
    if inputs is None:
        return {}
    if inputs.text is not None and inputs.series is not None:
        raise ArgumentError("--text and --series: a sequence is one or the other.")
    return {"text": inputs.text, "series": inputs.series}


def _classify(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    label = reader.choose(roles.LABEL, given.get("label"))
    assert label is not None
    X = _sequences(reader, given)
    cells = reader.whole(label, "label")
    y = [cell if isinstance(cell, bool | int) else str(cell).strip() for cell in cells]
    kinds = {type(cell) for cell in y}
    y = y if len(kinds) == 1 else [str(cell) for cell in y]
    classes = sorted({str(cell) for cell in y})
    shown = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
    _say_of(reader, "label", f" ({len(classes)} classes: {shown})")
    return X, y, None


def _regress(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    target = given.get("target")
    # The text first: a table of one text and several numbers is then no riddle.
    if target is None and given.get("series") is None:
        X = _sequences(reader, given)
        target = reader.choose(roles.NUMBER, None)
    else:
        target = reader.choose(roles.NUMBER, target)
        X = _sequences(reader, given)
    assert target is not None
    y = reader.numbers(target, "target")
    _say_of(reader, "target", f" (from {y.min():g} to {y.max():g})")
    return X, y, None


def _generate(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    condition = given.get("condition")
    if condition is not None:
        reader.choose(roles.CONDITION, condition)
    X = _texts(reader, given.get("text"))
    name: str | None = reader.chosen.get("condition") or reader.choose(roles.CONDITION, None)
    reader.whole(reader.chosen["text"], "text")
    labels = None if name is None else [str(cell) for cell in reader.whole(name, "condition")]
    if labels is not None:
        _say_of(reader, "condition", f" ({len(set(labels))} of them)")
    return X, None, labels


def _translate(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    for role in ("source", "target", "condition"):  # those given first, so that none takes them
        if given.get(role) is not None:
            reader.choose(_TRANSLATION[role], given[role])
    if "condition" not in reader.chosen and len(reader.columns) > 2:
        reader.choose(roles.CONDITION, None)
    for role in ("source", "target"):
        if role not in reader.chosen:
            reader.choose(_TRANSLATION[role], None)
    source, target = reader.chosen["source"], reader.chosen["target"]
    name = reader.chosen.get("condition")
    reader.whole(source, "source")
    reader.whole(target, "target")
    labels = None if name is None else [str(cell) for cell in reader.whole(name, "condition")]
    return reader.texts(source, "source"), reader.texts(target, "target"), labels


_TRANSLATION = {
    "source": roles.SOURCE,
    "target": roles.TARGET_TEXT,
    "condition": roles.CONDITION,
}


def _tag(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    tags = reader.choose(roles.TAGS, given.get("tags"))
    text = reader.choose(roles.TEXT, given.get("text"))
    assert tags is not None
    assert text is not None
    words = [_cut(cell) for cell in reader.whole(text, "text")]
    wanted = [_cut(cell) for cell in reader.whole(tags, "tags")]
    for row, sentence, given_tags in zip(reader.table.rows, words, wanted, strict=True):
        if len(sentence) != len(given_tags):
            raise DataError(
                f"{reader.source}, row {row}: {len(given_tags)} tags for {len(sentence)} words."
            )
    return words, wanted, None


def _fill(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    if given.get("target") is not None:
        reader.choose(roles.FILLER, given["target"])
    text = reader.choose(roles.TEXT, given.get("text"))
    assert text is not None
    X = reader.texts(text)
    reader.whole(text, "text")
    target = reader.chosen.get("target") or reader.choose(roles.FILLER, None)
    if target is None:
        return X, None, None
    return X, [str(cell) for cell in reader.whole(target, "target")], None


def _caption(reader: Reader, given: Given, settings: Given) -> tuple[Any, Any, Any]:
    from recurra.cli.training.pictures import read_pictures_of

    for name, role in (("picture", roles.PICTURE), ("caption", roles.CAPTION)):
        reader.choose(role, given.get(name))
    paths = reader.whole(reader.chosen["picture"], "picture")
    captions = [str(cell) for cell in reader.whole(reader.chosen["caption"], "caption")]
    return read_pictures_of(paths, reader.table, int(settings.get("size") or 32)), captions, None


_TASKS: dict[str, Callable[[Reader, Given, Given], tuple[Any, Any, Any]]] = {
    "classify": _classify,
    "regress": _regress,
    "generate": _generate,
    "translate": _translate,
    "tag": _tag,
    "fill": _fill,
    "caption": _caption,
}


def _sequences(reader: Reader, given: Given) -> Any:
    """Return the inputs: texts, lists, or the numbers of several columns."""
    names = list(reader.columns)
    if given.get("series") is not None:
        if isinstance(given["series"], list):
            chosen = given["series"]
        else:
            chosen = series_columns(names, given["series"], reader.source)
        return _series(reader, chosen)
    left = [c for name, c in reader.columns.items() if name not in reader.taken]
    numbers = [column.name for column in left if column.numeric]
    if given.get("text") is None and len(numbers) > 1 and len(numbers) == len(left):
        return _series(reader, numbers)
    return _texts(reader, given.get("text"))


def _series(reader: Reader, chosen: list[str]) -> Any:
    reader.chosen["series"] = chosen
    reader.said.append(f"series: {len(chosen)} steps, columns {chosen[0]!r} to {chosen[-1]!r}")
    return read_series_rows(reader.table.columns, chosen, reader.table)


def _texts(reader: Reader, given: str | None) -> Any:
    name = reader.choose(roles.TEXT, given)
    assert name is not None
    texts = reader.texts(name)
    empty = sum(isinstance(text, str) and not text.strip() for text in texts)
    if empty:
        _say_of(reader, "text", f" ({empty:,} of {len(texts):,} are empty)")
    if reader.columns[name].numeric and not reader.columns[name].lists:
        value = number_of(reader.columns[name].filled[0])
        _say_of(reader, "text", f" (numbers such as {value:g}, read as text)")
    return texts


def _say_of(reader: Reader, role: str, more: str) -> None:
    for k, line in enumerate(reader.said):
        if line.startswith(f"{role}: "):
            reader.said[k] = line + more


def _cut(cell: Any) -> list[str]:
    return [str(part) for part in cell] if isinstance(cell, list) else str(cell).split()


def _from_conllu(path: Path, column: str) -> Loaded:
    from recurra.data.tables.conllu import read_conllu

    sentences = read_conllu(path)
    words, tags = [s.words for s in sentences], [s.tags(column) for s in sentences]
    count = sum(map(len, words))
    said = [f"tags: {column} of {count:,} words ({len({t for row in tags for t in row})} kinds)"]
    rows = [sentence.row for sentence in sentences]
    return Loaded(str(path), Part(words, tags), rows, {"conllu": column}, said)


def named(given: Sequence[str]) -> dict[str, Any]:
    """Return columns written as ROLE=NAME by their roles; raises `ArgumentError`."""
    found: dict[str, Any] = {}
    for option in given:
        role, sign, name = option.partition("=")
        if not (role.isidentifier() and sign and name):
            raise ArgumentError(f"--column {option!r}: write it as ROLE=NAME, say text=review.")
        found[role] = name
    return found
