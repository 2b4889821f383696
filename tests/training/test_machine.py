from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from endash.errors import TrainingError
from endash.training import machine as module
from endash.training.config import TrainingConfig
from endash.training.machine import cpu_multiplies_bfloat16, keep_freed_memory, machine_for, workers_for


@pytest.mark.parametrize(("flag", "native"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512_vnni", False)])
def test_what_the_cpu_multiplies_in(flag: str, native: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu avx512f {flag} sse\n\nprocessor\t: 1\n")
    assert cpu_multiplies_bfloat16(tmp_path / "cpuinfo") is native


def test_where_it_cannot_be_told_it_does_not(tmp_path: Path) -> None:
    assert cpu_multiplies_bfloat16(tmp_path / "missing") is False


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_precision(precision: str, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cpu_multiplies_bfloat16", lambda: native)
    machine = machine_for(TrainingConfig.model_validate({"precision": precision, "device": "cpu"}))
    wanted = torch.bfloat16 if precision == "bfloat16" or (precision == "auto" and native) else torch.float32
    assert machine.precision == wanted
    assert (machine.warning is not None) == (precision == "bfloat16" and not native)
    with machine.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == wanted


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(
        TrainingError, match=r'device = "cuda", but torch sees no CUDA device here: use "auto" or "cpu"'
    ):
        machine_for(TrainingConfig(device="cuda"))


@pytest.mark.parametrize(
    ("device", "threads", "batch_tokens", "workers", "why"),
    [
        ("cpu", 2, 4096, 2, "fastest"),
        ("cpu", 3, 600, 2, "fastest"),
        ("cpu", 2, 300, 1, "batch_tokens = 300 is too little"),
        ("cpu", 1, 4096, 1, "one thread"),
        ("cuda", 2, 4096, 1, ""),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is always one process")
def test_how_many_processes(device: str, threads: int, batch_tokens: int, workers: int, why: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found, reason = workers_for(torch.device(device), batch_tokens)
    finally:
        torch.set_num_threads(before)
    assert found == workers
    assert why in reason


PAGE_FAULTS = """
import resource, torch
from endash.training.machine import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(10_000_000).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
as_it_comes = [faults() for _ in range(8)][-1]
assert keep_freed_memory() and keep_freed_memory()
print(as_it_comes, [faults() for _ in range(8)][-1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc is what is set")
def test_memory_that_was_freed_is_not_faulted_in_again() -> None:
    done = subprocess.run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, check=True)
    as_it_comes, kept = map(int, done.stdout.split())
    assert kept < 10 < as_it_comes


@pytest.mark.skipif(platform.libc_ver()[0] == "glibc", reason="needs another C library")
def test_another_c_library_is_left_alone() -> None:
    assert keep_freed_memory() is False
