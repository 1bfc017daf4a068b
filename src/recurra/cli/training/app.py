"""`recurra train TASK DATA`: the tasks and their options; what runs is imported when it does."""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.training.options import Fitting, Inputs, flat

Data = Annotated[
    Path, typer.Argument(help="A table: CSV, TSV, JSON Lines or Parquet.", show_default=False)
]
Label = Annotated[str | None, typer.Option(help="The column of classes.")]
Condition = Annotated[
    str | None, typer.Option(help="A column that says which kind is wanted (a language, say).")
]

app = typer.Typer(
    name="train",
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a model on your table, judge it on a part held out, and write a report.",
    epilog="""Examples:

    recurra train classify reviews.csv                  a class for a text

    recurra train regress houses.csv --target price     a number for a text or a series

    recurra train tag news.conllu                       a tag for each word

    recurra train translate dates.csv                   one text from another

    recurra train caption pictures.csv                  words for a picture

    recurra train fill sentences.txt --choices very,happy,not

    recurra train generate names.csv --condition country

    recurra train generate book.txt --chunk 256         one text, of any size

    recurra train forecast sales.csv --horizon 14       what comes next, and how surely

Columns are guessed where they can be, and said; TASK --help has the options.
""",
)


@app.command(
    epilog="""Examples:

    recurra train classify reviews.csv

    recurra train classify reviews.csv --text review --label sentiment

    recurra train classify strokes.csv --series x0:x63 --label digit

    recurra train classify reviews.csv --class-weight balanced --cell gru --model my-model
"""
)
@flat
def classify(
    data: Data,
    inputs: Inputs,
    fitting: Fitting,
    label: Label = None,
    class_weight: Annotated[
        str | None, typer.Option(help="'balanced': all classes weigh the same.")
    ] = None,
) -> None:
    """Learn the class of a text or a series: good or bad, which digit."""
    from recurra.cli.training.run import run

    run("classify", data, inputs, fitting, {"label": label}, {"class_weight": class_weight})


@app.command(
    epilog="""Examples:

    recurra train regress wines.csv --text description --target points

    recurra train regress sensors.csv --series t0:t99 --target wear
"""
)
@flat
def regress(
    data: Data,
    inputs: Inputs,
    fitting: Fitting,
    target: Annotated[str | None, typer.Option(help="The column of numbers to predict.")] = None,
) -> None:
    """Learn a number for a text or a series: a price, a rating."""
    from recurra.cli.training.run import run

    run("regress", data, inputs, fitting, {"target": target}, {})


@app.command(
    epilog="""Examples:

    recurra train generate names.csv --text name --condition country

    recurra train generate titles.txt                   a text a line

    recurra train generate book.txt --chunk 256         one text, of any size

    recurra train generate program.bin --chunk 256 --tokens byte
"""
)
@flat
def generate(
    data: Annotated[
        Path,
        typer.Argument(
            help="A table: CSV, TSV, JSON Lines or Parquet; with --chunk any file, as one text.",
            show_default=False,
        ),
    ],
    fitting: Fitting,
    text: Annotated[str | None, typer.Option(help="The column of texts.")] = None,
    condition: Condition = None,
    max_length: Annotated[
        int | None, typer.Option(help="The characters a text may have; 200 if not given.")
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1, help="The file is one text; so many of its characters lie between two steps."
        ),
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(help="With --chunk, what the text is cut into: char or byte.")
    ] = None,
) -> None:
    """Learn to write texts like those of a table, for a label if there is one.

    With --chunk one text of any size is learned, and gone on with: the state is carried from chunk
    to chunk, and little of the file is in memory.
    """
    from recurra.cli.training import long_text
    from recurra.cli.training.run import run

    columns = {"text": text, "condition": condition}
    own = {"max_length": max_length, "chunk": chunk, "tokens": tokens}
    if chunk is None:
        run("generate", data, None, fitting, columns, own)
    else:
        long_text.run(data, fitting, columns, own)


@app.command(
    epilog="""Examples:

    recurra train tag news.conllu                       the words' UPOS

    recurra train tag news.conllu --column XPOS

    recurra train tag spans.jsonl --text words --tags tags
"""
)
@flat
def tag(
    data: Annotated[
        Path,
        typer.Argument(
            help="CoNLL-U, or a table whose cells are lists, or words with spaces between.",
            show_default=False,
        ),
    ],
    fitting: Fitting,
    column: Annotated[str, typer.Option(help="Of CoNLL-U: UPOS, XPOS, DEPREL, ...")] = "UPOS",
    text: Annotated[str | None, typer.Option(help="The column of words.")] = None,
    tags: Annotated[str | None, typer.Option(help="The column of tags, one a word.")] = None,
) -> None:
    """Learn a tag for each word of a sentence: its part of speech, a name or not."""
    from recurra.cli.training.run import run

    columns = {"text": text, "tags": tags}
    run("tag", data, None, fitting, columns, {}, conllu=column)


@app.command(
    epilog="""Examples:

    recurra train translate dates.csv --source written --target iso

    recurra train translate terms.csv --source en --target translation --condition language
"""
)
@flat
def translate(
    data: Data,
    fitting: Fitting,
    source: Annotated[str | None, typer.Option(help="The column of texts to read.")] = None,
    target: Annotated[str | None, typer.Option(help="The column of texts to write.")] = None,
    condition: Condition = None,
    tokens: Annotated[
        str | None, typer.Option(help="How texts are cut: char, word, bpe or auto.")
    ] = None,
    beam_size: Annotated[int | None, typer.Option(help="Unfinished texts that are kept.")] = None,
) -> None:
    """Learn to write one text for another: a translation, a date in one form."""
    from recurra.cli.training.run import run

    columns = {"source": source, "target": target, "condition": condition}
    run("translate", data, None, fitting, columns, {"tokens": tokens, "beam_size": beam_size})


@app.command(
    epilog="""Examples:

    recurra train caption pictures.csv --picture file --caption words

The paths in the table are relative to its folder.
"""
)
@flat
def caption(
    data: Data,
    fitting: Fitting,
    picture: Annotated[str | None, typer.Option(help="The column of paths.")] = None,
    caption: Annotated[str | None, typer.Option(help="The column of captions.")] = None,
    size: Annotated[
        int, typer.Option(min=8, help="Pictures are brought to so many pixels a side.")
    ] = 32,
) -> None:
    """Learn to say what a picture shows."""
    from recurra.cli.training.run import run

    run("caption", data, None, fitting, {"picture": picture, "caption": caption}, {}, size=size)


@app.command(
    epilog="""Examples:

    recurra train fill sentences.csv --choices very,happy,not

    recurra train fill blanks.csv --text sentence --target word     a blank is __
"""
)
@flat
def fill(
    data: Data,
    fitting: Fitting,
    text: Annotated[str | None, typer.Option(help="The column of sentences.")] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The column of what belongs in the blank; without, blanks are made."),
    ] = None,
    choices: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="The words to choose among.")
    ] = None,
) -> None:
    """Learn which word belongs in a blank, from both sides of it."""
    from recurra.cli.training.run import run

    words = None if choices is None else [word.strip() for word in choices.split(",")]
    columns = {"text": text, "target": target}
    run("fill", data, None, fitting, columns, {"choices": words}, choices=words)


@app.command(
    epilog="""Examples:

    recurra train forecast sales.csv --horizon 14

    recurra train forecast shops.csv --id shop --time day --value sold --seasonality 7

    recurra train forecast prices.csv --transform log_difference --gaps ignore
"""
)
@flat
def forecast(
    data: Data,
    fitting: Fitting,
    horizon: Annotated[int, typer.Option(min=1, help="Steps ahead.")] = 1,
    window: Annotated[int | None, typer.Option(min=1, help="Steps back.")] = None,
    time: Annotated[str | None, typer.Option(help="The column of times.")] = None,
    value: Annotated[
        str | None, typer.Option(help="The column of values; without, each column is a series.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="The column of the series' names.")] = None,
    past: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns known up to now only.")
    ] = None,
    known: Annotated[str | None, typer.Option(metavar="A,B", help="Columns known ahead.")] = None,
    seasonality: Annotated[int | None, typer.Option(min=1, help="Steps in a season.")] = None,
    transform: Annotated[
        str | None, typer.Option(help="none, log, difference or log_difference (returns).")
    ] = None,
    gaps: Annotated[str, typer.Option(help="Missing steps: refuse, fill or ignore.")] = "refuse",
) -> None:
    """Learn what follows in series of numbers; the last part of each is held out."""
    from recurra.cli.training.series import run

    run(
        data,
        fitting,
        {"time": time, "value": value, "id": id, "past": past, "known": known},
        {
            "horizon": horizon,
            "window": window,
            "seasonality": seasonality,
            "series_transform": transform,
        },
        gaps,
    )
