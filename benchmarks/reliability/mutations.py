"""Saved models that are damaged or forged at random: is one ever loaded as what it was not?

    python benchmarks/reliability/mutations.py [N]

Loads N mutations (100,000) of the tiny models of every task in tests/models. Three of four are
damage: bits, bytes and pieces changed in any file, or files swapped. One in four is a forgery:
config, record or header of the weights is edited, and every checksum made right again. Damage must
be refused with `ModelFileError`, or have hit the card, which is not read; a forgery must be refused
so, too, or give answers of the form that was asked for. What may not be: another error, answers
that changed, a load of more than 10 s, more memory than 1 GiB above what the program had at first.
Prints the figures, and ends with 1 if one of them is not as it must be.
"""

import argparse
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from recurra import load
from recurra.errors import ModelFileError, RecurraError
from recurra.tasks.saving.config import CARD, CONFIG, HISTORY, WEIGHTS, FileSum, sealed
from recurra.tasks.saving.files import as_json

MODELS = Path(__file__).parents[2] / "tests" / "models"
sys.path.insert(0, str(MODELS))
from subjects import SUBJECTS, VERSIONS  # noqa: E402

FILES = (CONFIG, WEIGHTS, HISTORY, CARD)
SECONDS, MEMORY = 10, 2**30
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 1000, 10**6, 2**31, 2**63, 10**30, -(2**63), 0.5, -2.5,
    float("nan"), float("inf"), float("-inf"), "", "x", "lstm", "gru", "../x", "/etc/passwd",
    "os.system", "\ud800", "\0", "a" * 1000, [], [0], [[0]], ["x"], [None], [1e9] * 3, {}, {"x": 1},
    {"class": "Popen"}, {"class": None},
)  # fmt: skip


@dataclass
class Figures:
    """What became of the mutations: how many of each outcome, and those that must not be."""

    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest: float = 0.0


def damage(contents: dict[str, bytes], others: list[bytes], draw: random.Random) -> str:
    """Change one file at random, and return which and how."""
    name = draw.choice((CONFIG, WEIGHTS, HISTORY) * 3 + (CARD,))
    content = bytearray(contents[name])
    k = draw.randrange(len(content))
    kind = draw.choice(("bit", "byte", "cut", "insert", "remove", "zeros", "twice", "swap"))
    match kind:
        case "bit":
            content[k] ^= 1 << draw.randrange(8)
        case "byte":
            content[k : k + draw.randint(1, 4)] = draw.randbytes(draw.randint(1, 4))
        case "cut":
            del content[k:]
        case "insert":
            content[k:k] = draw.choice((b" ", b"\n", b"0", draw.randbytes(draw.randint(1, 64))))
        case "remove":
            del content[k : k + draw.randint(1, 64)]
        case "zeros":
            content[k : k + 16] = bytes(len(content[k : k + 16]))
        case "twice":
            content[k:k] = content[k : k + draw.randint(1, 64)]
        case "swap":
            content = bytearray(draw.choice(others))
    contents[name] = bytes(content)
    return f"{kind} in {name}"


def forge(contents: dict[str, bytes], draw: random.Random) -> str:
    """Edit a file with a meaning, make all checksums right, and return what was edited."""
    name = draw.choice((CONFIG, CONFIG, CONFIG, HISTORY, WEIGHTS))
    config = json.loads(contents[CONFIG])
    if name == CONFIG:
        what = edit(config, draw)
    elif name == HISTORY:
        record = json.loads(contents[HISTORY])
        what = edit(record, draw)
        contents[HISTORY] = as_json(record)
    elif draw.random() < 0.5:
        what = _forge_header(contents, draw)
    else:
        content = bytearray(contents[WEIGHTS])
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        contents[WEIGHTS], what = bytes(content), "a bit"
    if name != CONFIG:
        config["files"][name] = FileSum.of(contents[name]).model_dump()
    contents[CONFIG] = sealed(config)
    return f"{what} in {name}, forged"


def _forge_header(contents: dict[str, bytes], draw: random.Random) -> str:
    content = contents[WEIGHTS]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    match draw.randrange(4):
        case 0:
            what, text = edit(header, draw), json.dumps(header).encode()
        case 1:  # a key twice
            text = json.dumps(header).encode()
            what, text = "a key twice", text[:-1] + b"," + text[1:]
        case 2:  # two tensors in one place
            names = list(header)
            header[draw.choice(names)]["data_offsets"] = header[draw.choice(names)]["data_offsets"]
            what, text = "overlap", json.dumps(header).encode()
        case _:
            size = draw.choice((0, length + 1, len(content), 2**31, 2**63, 2**64 - 1))
            contents[WEIGHTS] = size.to_bytes(8, "little") + content[8:]
            return "length"
    rest = content[8 + length :] + draw.choice((b"", b"", b"", b"\0", draw.randbytes(100)))
    contents[WEIGHTS] = len(text).to_bytes(8, "little") + text + rest
    return what


def edit(record: Any, draw: random.Random) -> str:
    """Change a value, a key or an entry somewhere in a record, and return where."""
    where, place = [], record
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return f"nothing at {'.'.join(where)}"
        key = draw.choice(keys)
        where.append(str(key))
        if isinstance(place[key], dict | list) and place[key] and draw.random() < 0.85:
            place = place[key]
            continue
        match draw.randrange(6):
            case 0:
                del place[key]
            case 1 if isinstance(place, dict):
                place[f"{key}_"] = place[key]
            case 1:
                place.insert(key, place[key])
            case 2 if isinstance(place[key], int | float):
                place[key] = place[key] * draw.choice((-1, 2, 10**9, 0.5)) + draw.choice((0, 1))
            case 3:
                deep: Any = 1
                for _ in range(draw.choice((3, 100, 900))):
                    deep = [deep]
                place[key] = deep
            case _:
                place[key] = draw.choice(ODD)
        return ".".join(where)


def form(answer: Any) -> Any:
    """Return what stays the same in answers whose numbers differ: how many there are."""
    return len(answer) if isinstance(answer, list) else type(answer).__name__


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Run a block, and raise `TimeoutError` after so many seconds."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def outcome(name: str, folder: Path, answers: Any, forged: bool) -> str:
    """Load a mutated model, ask it, and return what came of it; what must not be begins with !."""
    subject = SUBJECTS[name]
    try:
        with at_most(SECONDS):
            model = load(folder, cell=subject.cell)
    except ModelFileError:
        return "refused"
    except TimeoutError:
        return f"! loading took more than {SECONDS} s"
    except BaseException as error:
        return f"! loading raised {type(error).__name__}: {error}"
    try:
        with at_most(SECONDS):
            found = subject.ask(model, subject.inputs)
    except RecurraError as error:
        return "loaded, refuses the question" if forged else f"! asking raised {error!r}"
    except BaseException as error:
        return f"! asking raised {type(error).__name__}: {error}"
    if found == answers:
        return "loaded, the same answers"
    if forged and form(found) == form(answers):
        return "loaded, other answers of the same form"
    return "! loaded, and answers otherwise"


def mutated(N: int, seed: int = 0) -> Figures:
    """Load N mutations and return what came of them."""
    draw, figures = random.Random(seed), Figures()
    place = MODELS / VERSIONS[-1]
    models = {
        name: {file: (place / name / file).read_bytes() for file in FILES} for name in SUBJECTS
    }
    every = [content for contents in models.values() for content in contents.values()]
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in SUBJECTS}
        answers = {}
        for name, folder in folders.items():
            shutil.copytree(place / name, folder)
            subject = SUBJECTS[name]
            answers[name] = subject.ask(load(folder, cell=subject.cell), subject.inputs)
        for _ in range(N):
            name = draw.choice(list(SUBJECTS))
            contents, forged = dict(models[name]), draw.random() < 0.25
            what = forge(contents, draw) if forged else damage(contents, every, draw)
            changed = [file for file in FILES if contents[file] != models[name][file]]
            for file in changed:
                (folders[name] / file).write_bytes(contents[file])
            began = time.perf_counter()
            came = outcome(name, folders[name], answers[name], forged)
            figures.slowest = max(figures.slowest, time.perf_counter() - began)
            for file in changed:
                (folders[name] / file).write_bytes(models[name][file])
            if not forged and came != "refused" and changed not in ([], [CARD]):
                came = f"! damaged, but {came}"
            figures.outcomes[("forged: " if forged else "damaged: ") + came[:60]] += 1
            if came.startswith("!"):
                figures.bad.append(f"{name}: {what}: {came}")
    return figures


def main() -> None:
    """Mutate, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("N", nargs="?", type=int, default=100_000, help="how many mutations")
    parser.add_argument("--seed", type=int, default=0, help="for other mutations")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = mutated(given.N, given.seed)
    for came, count in sorted(figures.outcomes.items()):
        print(f"{came}: {count:,}")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory at most {(after - before) / 1024:.0f} MiB above that of the start")
    print(f"slowest {figures.slowest:.2f} s; {time.perf_counter() - began:.0f} s in all")
    for line in figures.bad[:50]:
        print(line[:300])
    print(f"not as it must be: {len(figures.bad)}")
    sys.exit(bool(figures.bad))


if __name__ == "__main__":
    main()
