"""The machine that trains: where the tensors live, in which precision to multiply, and how memory is kept."""

from __future__ import annotations

import ctypes
import functools
import platform
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from endash.errors import TrainingError
from endash.training.config import TrainingConfig

_CPU_BFLOAT16 = {"avx512_bf16", "amx_bf16"}

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; `warning` says what the user should know of that choice."""

    device: torch.device
    precision: torch.dtype
    warning: str | None = None

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which matrix products are computed in `precision`; the parameters stay float32."""
        enabled = self.precision != torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def __str__(self) -> str:
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{self.device}, {str(self.precision).removeprefix('torch.')}{threads}"


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
    return Machine(device, torch.bfloat16 if wanted else torch.float32, warning)


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
