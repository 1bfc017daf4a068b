"""The machine that runs a cell's program over time (native/)."""

from collections.abc import Sequence

from torch import Tensor

_Given = tuple[int, Sequence[int]]
_Place = tuple[int, int, int]
_Found = tuple[object, str | None, str | None, object]

chunk_rows: int
op_names: Sequence[str]

class Plan:
    descending: bool
    def __init__(self) -> None: ...
    def buffer(self, kind: int, width: int, index: int, state: bool, number: float) -> int: ...
    def instruction(
        self,
        part: int,
        op: int,
        places: Sequence[_Place],
        n: int,
        k: int,
        which: int,
        inner: int = 1,
        height: int = 1,
        width: int = 1,
    ) -> None: ...
    def sum(self, d: _Place, x: _Place, n: int, k: int, gradient: int) -> None: ...
    def sizes(
        self,
        states: Sequence[int],
        matrices: Sequence[tuple[int, int]],
        vectors: Sequence[int],
        loads: Sequence[int],
        stores: Sequence[int],
        gradients: Sequence[int],
        saved: int,
        tapes: int,
    ) -> None: ...
    def seal(self) -> None: ...

class Call:
    T: int
    B: int
    block: int
    threads: int
    reverse: bool
    bounds: Sequence[int]
    row_of: int
    length_of: int
    position_of: int
    loads: Sequence[_Given]
    stores: Sequence[_Given]
    vectors: Sequence[_Given]
    matrices: Sequence[_Given]
    initial: Sequence[_Given]
    final: Sequence[_Given]
    fresh: Sequence[_Given]
    saved: Sequence[int]
    tapes: Sequence[int]
    gradients: Sequence[int]
    fresh_gradients: Sequence[int]
    restart: _Given
    def __init__(self) -> None: ...

class _Stepper:
    def __init__(
        self,
        plan: Plan,
        matrices: Sequence[_Given],
        vectors: Sequence[_Given],
        B: int,
        state: Sequence[int],
    ) -> None: ...
    def push(
        self,
        T: int,
        x: int,
        x_step: int,
        x_row: int,
        x_feature: int,
        y: int,
        y_step: int,
        y_row: int,
    ) -> None: ...

class FloatStepper(_Stepper): ...
class DoubleStepper(_Stepper): ...

class Watch:
    def __init__(self, plan: tuple[object, ...]) -> None: ...
    def check(self, root: object) -> int: ...

class Sources:
    def __init__(self, places: tuple[_Found, ...], bytes: Sequence[int]) -> None: ...
    def same(self, places: tuple[_Found, ...], steps: int) -> bool: ...

def run_float(plan: Plan, call: Call) -> None: ...
def run_double(plan: Plan, call: Call) -> None: ...
def memory(bytes: int) -> Tensor: ...
def waiting() -> int: ...
def measure_peak(threads: int) -> float: ...
def simd() -> str: ...
def simd_choices() -> list[str]: ...
def use_simd(name: str) -> None: ...
