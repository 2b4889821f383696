from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class Model:
    @property
    def bytes(self) -> int: ...
    @property
    def instruction_set(self) -> str: ...

class Options:
    beam: int
    n_best: int
    no_repeat: int
    length_penalty: float
    prune: float
    sample: bool
    stream: bool
    scored: bool
    watched: bool
    shortlist: bool
    temperature: float
    top_p: float
    top_k: int

class Engine:
    def __init__(self, model: Model, threads: int, rows: int, room: int) -> None: ...
    def use_shortlist(self, common: Sequence[int], offsets: Sequence[int], tokens: Sequence[int]) -> None: ...
    def submit(
        self,
        model: Model,
        source: Sequence[int],
        memory: Sequence[NDArray[np.float32]],
        limit: int,
        slots: Sequence[int],
        prefix: Sequence[int],
        noise: Sequence[float],
        options: Options,
    ) -> int: ...
    def wait_for_room(self, seconds: float) -> None: ...
    def cancel(self, id: int) -> None: ...
    def wait(self, seconds: float) -> list[Any]: ...
    @property
    def memory(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...

def model(
    settings: Mapping[str, Any], parameters: Mapping[str, NDArray[np.float32]], instruction_set: str
) -> Model: ...
def instruction_sets() -> list[str]: ...
def speed(set: str, precision: str, rows: int, inputs: int, outputs: int) -> float: ...
