"""The search that a `DecodingConfig` asks for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from endash.decoding.beam import beam_search
from endash.decoding.config import DecodingConfig
from endash.decoding.hypothesis import Found
from endash.decoding.processors import Processor
from endash.decoding.protocol import S, Stepper
from endash.decoding.sample import greedy_search, sample
from endash.errors import ModelError


def search(
    stepper: Stepper[S],
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_lengths_B: Tensor,
    processors: Sequence[Processor] = (),
    rows: Sequence[int] | None = None,
) -> list[list[Found]]:
    """Up to `config.n_best` hypotheses for each row of the stepper, best first, or samples in the order drawn.

    `max_lengths_B` (int64, on the stepper's device) counts tokens with the end of sentence. `rows` are the places of the
    sources in the input, by which samples are seeded (0, 1, … by default). Raises ModelError if scores are not finite, if
    a maximum length is below 1, or if the processors leave a row nothing to write.
    """
    if max_lengths_B.shape != (stepper.rows,) or bool((max_lengths_B < 1).any()):
        raise ModelError(
            f"each of {stepper.rows} rows needs a maximum length of at least 1, got {max_lengths_B.tolist()}: "
            "raise decoding.max_extra"
        )
    if config.search == "sample":
        found = sample(stepper, config, bos=bos, eos=eos, max_lengths_B=max_lengths_B, processors=processors, rows=rows)
    elif config.beam == 1:
        found = greedy_search(stepper, config, bos=bos, eos=eos, max_lengths_B=max_lengths_B, processors=processors)
    else:
        found = beam_search(stepper, config, bos=bos, eos=eos, max_lengths_B=max_lengths_B, processors=processors)
    for row, hypotheses in enumerate(found):
        if not hypotheses:
            raise ModelError(f"row {row}: the processors ban every token, so there is nothing to write")
    return found
