"""What the benchmarks share: each measurement in a process of its own, the machine they ran on, and tables."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endash.corpora import guess_reader, readers
from endash.corpora.record import Record

PEER = "transformers==5.23.0"
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")


def need_peer() -> None:
    """Leave with what to install if transformers, which the project does not depend on, is not there."""
    if importlib.util.find_spec("transformers") is None:
        sys.exit(f"this benchmark measures beside transformers: pip install '{PEER}'")


def measure(script: str, job: dict[str, Any], *, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What ``python SCRIPT --worker IN OUT`` makes of a job, with the peak memory of that process.

    A process of its own, so that no side's allocator settings, caches or threads reach the other. Its environment is this
    one's: OMP_NUM_THREADS sets the threads of every side; `environment` is added to it.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "job.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, script, "--worker", str(asked), str(answered)]
        done = subprocess.run(command, check=False, env={**os.environ, **(environment or {})})
        if done.returncode:
            sys.exit(f"{Path(script).name} failed with {done.returncode} at {job}")
        answer: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
        return answer


def answer_job(work: Any, arguments: Sequence[str]) -> bool:
    """If these arguments are those of a worker, do its job with `work` and write what it gives."""
    if not arguments or arguments[0] != "--worker":
        return False
    job = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    answer = work(job)
    answer.setdefault("peak_bytes", peak_bytes())
    Path(arguments[2]).write_text(json.dumps(answer), encoding="utf-8")
    return True


def in_turn(sides: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Each side once a round, forwards and backwards in turn, so that a slow change of the machine favours none."""
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            print(f"round {number + 1} of {rounds}: {side}", file=sys.stderr, flush=True)
            yield number, side


def peak_bytes() -> int | None:
    """The most memory that this process held (Linux only: getrusage would give a child its parent's figure)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value that half of them reach."""
        return statistics.median(self.values)

    def show(self, digits: int = 0) -> str:
        """The median, and the range when there is one."""
        middle, low, high = (f"{value:,.{digits}f}" for value in (self.median, min(self.values), max(self.values)))
        return middle if len(self.values) == 1 else f"{middle} ({low} to {high})"


def machine() -> dict[str, Any]:
    """The machine and what runs on it, for the head of a table and for the JSON file."""
    import torch

    names = ("endash", "torch", "transformers", "sentencepiece", "sacrebleu")
    return {
        "cpu": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "instructions": [flag for flag in _FLAGS if flag in (_cpuinfo("flags") or _cpuinfo("Features") or "").split()],
        "threads": torch.get_num_threads(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in names},
    }


def head(about: dict[str, Any]) -> list[str]:
    """The machine as lines of Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return [
        f"- Machine: {about['cpu']}, {about['cpus']} CPUs, {about['threads']} threads used; "
        f"{' '.join(about['instructions']) or 'no known vector instructions'}; load before the run {about['load'][0]}.",
        f"- Versions: {versions}, Python {about['python']}, {about['system']}.",
    ]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, all columns but the first aligned right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def pairs(path: str, source: str, target: str) -> tuple[list[str], list[str]]:
    """The sources and targets of a corpus in any format that endash reads."""
    records = [
        record for record in readers.build(guess_reader(path, source, target)).read() if isinstance(record, Record)
    ]
    return [record.source for record in records], [record.target for record in records]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "from its folder"


def _cpuinfo(name: str) -> str | None:
    try:
        found = re.search(rf"^{name}\s*:(.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found[1].strip() if found else None
