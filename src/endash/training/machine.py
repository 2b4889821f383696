"""The machine that trains: where the tensors live, in which precision to multiply, and how memory is kept."""

from __future__ import annotations

import ctypes
import functools
import platform
import re
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from endash.errors import TrainingError
from endash.training.config import TrainingConfig

_CPU_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
_TOKENS = 256  # of a batch's larger side, that a process should have at least

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; `warning` says what the user should know of that choice.

    `workers` processes share each step (`training.team`), and the threads of this process; `why` says what decided that.
    """

    device: torch.device
    precision: torch.dtype
    warning: str | None = None
    workers: int = 1
    why: str = ""

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which matrix products are computed in `precision`; the parameters stay float32."""
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def __str__(self) -> str:
        precision = str(self.precision).removeprefix("torch.")
        if self.device.type != "cpu":
            return f"{self.device}, {precision}"
        threads = torch.get_num_threads() // self.workers
        each = f"{threads} thread{'s' if threads > 1 else ''}"
        what = f"{self.workers} processes of {each} each" if self.workers > 1 else f"one process of {each}"
        return f"{self.device}, {precision}, {what}{f' ({self.why})' if self.why else ''}"


def machine_for(config: TrainingConfig) -> Machine:
    """The machine that `device` and `precision` ask for. Raises TrainingError for cuda where there is none."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            'training.device = "cuda", but torch sees no CUDA device here: use "auto" or "cpu", '
            "or install a CUDA build of torch"
        )
    device = torch.device("cpu" if config.device == "cpu" or not torch.cuda.is_available() else "cuda")
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_multiplies_bfloat16()
    wanted = config.precision == "bfloat16" or (config.precision == "auto" and native)
    warning = None
    if wanted and not native:
        warning = 'training.precision = "bfloat16" is emulated on this machine and slower than "float32"'
    workers, why = workers_for(device, config.batch_tokens)
    return Machine(device, torch.bfloat16 if wanted else torch.float32, warning, workers, why)


def workers_for(device: torch.device, batch_tokens: int) -> tuple[int, str]:
    """How many processes share a step, and what decided that.

    A process for each thread pays on a CPU: at 2 × 1 thread, half as many tokens again as in one process of 2 (Zen 4,
    width 256). With less than some hundred tokens each, what all of them do alike, the update, would take the larger part.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu":
        return 1, ""
    if threads < 2:
        return 1, "torch was given one thread"
    if sys.platform != "linux":
        return 1, "processes that share memory are forked on Linux only"
    if (workers := min(threads, batch_tokens // _TOKENS)) < 2:
        return 1, f"batch_tokens = {batch_tokens} is too little to divide"
    return workers, "a CPU trains fastest so"


def cpu_multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where the CPU has instructions that multiply bfloat16 (AVX-512 BF16 or AMX); False where one cannot tell."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return False
    return flags is not None and not _CPU_BFLOAT16.isdisjoint(flags[1].split())


@functools.cache
def keep_freed_memory() -> bool:
    """Have glibc keep the memory that is freed, for this process, once; True if it does.

    As it comes, malloc gives each large tensor back to the kernel when it is freed, and the next one is faulted in anew,
    page by page, zeroed: up to a third of a training step on a CPU. Kept, the memory stays that of the largest step.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # Before glibc 2.35 the threshold could not pass 32 MB; there, mmap is left out for every size.
    at_most = 2**31 - 1
    kept = mallopt(_M_MMAP_THRESHOLD, at_most) or mallopt(_M_MMAP_MAX, 0)
    return bool(kept and mallopt(_M_TRIM_THRESHOLD, at_most) and mallopt(_M_TOP_PAD, 2**28))
