"""The long form: `make fuzz MINUTES=5 SEED=1`, or one case again: `python -m fuzz --case 1000003`.

The cases run in a process of their own, so that a crash or a hang of it is a finding, too.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import torch

from fuzz import cases, checks
from fuzz.awaited import AWAITED
from fuzz.cells import read_node
from fuzz.expressions import Node
from fuzz.reads import FUNCTIONS, NUMBERS, RECORDS, TENSORS

CASES = 1_000_000  # a seed's cases are numbered from SEED times this
HANG = 180  # seconds after which a case counts as hanging; torch.compile needs some


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument(
        "--seed", type=int, default=None, help="of the whole run; drawn if left out"
    )
    parser.add_argument("--case", type=int, default=None, help="run this one case and print it")
    parser.add_argument("--known", action="store_true", help="leave out the kinds that are awaited")
    parser.add_argument(
        "--mended", action="store_true", help="say what is awaited and fails no more"
    )
    parser.add_argument("--worker", type=int, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.mended:
        return _mended()
    if given.case is not None:
        return _one(given.case, not given.known)
    if given.worker is not None:
        return _work(given.worker, given.minutes, not given.known)
    seed = int(time.time()) % CASES if given.seed is None else given.seed
    print(f"seed {seed}, {given.minutes:g} minutes", flush=True)
    return _watch(seed, given.minutes, given.known)


def _one(number: int, every: bool) -> int:
    case = cases.draw_case(number, every, COMPILING)
    print(case.script())
    try:
        finding = cases.run(case)
    except cases.NoCaseError as error:
        print(f"the script itself fails: {error}")
        return 0
    if finding is None:
        print("nothing found")
        return 0
    least = cases.smaller(case, finding)
    print(f"{finding}\n\nmade smaller:\n{least.script()}\n{cases.run(least)}")
    return 1


def _mended() -> int:
    """Print the awaited ways of reading and writing that fail no more; they may be taken off."""
    plain = [(r.name, cases.case_of_record(r)) for r in RECORDS]
    for way in (*NUMBERS, *TENSORS, *FUNCTIONS):
        changes = read_node(way, 1, 3, Node("x", 3), "", "0.5")[1]
        plain += [(way.name, cases.case_of(way, change)) for change in changes]
    fails = {name for name, case in plain if name in AWAITED and _fails(case)}
    for name in dict.fromkeys(name for name, _ in plain if name in AWAITED):
        print(f"{'fails' if name in fails else 'mended':8s}{name}")
    return 0


def _fails(case: cases.Case) -> bool:
    try:
        return cases.run(case) is not None
    except cases.NoCaseError:
        return True


COMPILING = 0.02  # the share of cases with torch.compile, which takes seconds


def _work(first: int, minutes: float, every: bool) -> int:
    """Run cases until the time is over, and tell of each by a line of JSON."""
    until = time.monotonic() + 60 * minutes
    number, said = first, {}
    while time.monotonic() < until:
        _say(start=number)
        case = cases.draw_case(number, every, COMPILING)
        kinds = case.kinds()
        try:
            finding = cases.run(case)
        except cases.NoCaseError as error:
            _say(fails=str(error))
        else:
            _say(ran=kinds)
            seen = said.setdefault(finding.kind, []) if finding else []
            if finding and not any(other <= set(kinds) for other in seen):
                least = cases.smaller(case, finding)
                own = set(least.kinds()) - {"call"}
                seen += [own] if own else []  # what calls alone show may be many faults
                last = cases.run(least)
                text = str(last or finding)
                _say(finding=text, script=least.script(), kinds=least.kinds(), number=number)
        _say(counts=dict(checks.COUNTS), reasons=dict(checks.REASONS))
        checks.COUNTS.clear()
        checks.REASONS.clear()
        number += 1
    return 0


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def _watch(seed: int, minutes: float, known: bool) -> int:
    until, number = time.monotonic() + 60 * minutes, seed * CASES
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    findings = 0
    while time.monotonic() < until:
        left = (until - time.monotonic()) / 60
        command = [
            sys.executable,
            "-m",
            "fuzz",
            "--worker",
            str(number),
            "--minutes",
            f"{left:.3f}",
        ]
        command += ["--known"] if known else []
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        lines: Queue[str] = Queue()
        Thread(target=_read, args=(worker, lines), daemon=True).start()
        hung = False
        while True:
            try:
                line = lines.get(timeout=HANG)
            except Empty:
                hung = True
                worker.kill()
                break
            if not line:
                break
            told = json.loads(line)
            number = told.get("start", number)
            counts.update(told.get("counts", {}))
            reasons.update(told.get("reasons", {}))
            kinds.update(told.get("ran", []))
            counts["cases"] += "ran" in told
            counts["cases whose script fails"] += "fails" in told
            if "finding" in told:
                findings += 1
                _print_finding(told)
        if worker.wait() or hung:
            findings += 1
            what = "hangs" if hung else f"ends the process with {worker.returncode}"
            script = cases.draw_case(number, not known, COMPILING).script()
            print(f"\n=== case {number} {what}\n{script}", flush=True)
        number += 1
    _print_counts(counts, kinds, reasons)
    print(f"\nseed {seed}: {findings} findings" if findings else f"\nseed {seed}: nothing found")
    return 1 if findings else 0


def _read(worker: "subprocess.Popen[str]", lines: "Queue[str]") -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        lines.put(line)
    lines.put("")


def _print_finding(told: dict[str, Any]) -> None:
    awaited = {AWAITED[kind] for kind in told["kinds"] if kind in AWAITED}
    known = f" (awaited: {'; '.join(sorted(awaited))})" if awaited else ""
    print(f"\n=== case {told['number']}: {told['finding']}{known}\n{told['script']}", flush=True)


def _print_counts(counts: Counter[str], kinds: Counter[str], reasons: Counter[str]) -> None:
    print("\nwhat was done:")
    for name, count in counts.most_common():
        print(f"  {count:7d} {name}")
    tried = counts["native"] + counts["loop"]
    if tried:
        print(f"  {counts['native'] / tried:7.0%} of the calls that asked for it ran natively")
    print("why the others did not:")
    for name, count in reasons.most_common(12):
        print(f"  {count:7d} {name}")
    print("kinds (ways of reading, changes, operations):")
    print("  " + ", ".join(f"{name} {count}" for name, count in kinds.most_common()))


if __name__ == "__main__":
    sys.exit(main())
