"""Checkpoints: saved points of a run, from which it goes on as if it had never stopped.

A checkpoint is a folder ``step-000123``: parameters, the optimiser's moments and the random generators (safetensors), the
position (JSON), and a manifest with the size and checksum of each file. It takes its name only when all of it is on disk,
and only one whose files agree with their manifest is gone on from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from endash.errors import TrainingError
from endash.files import mend, remove, save_tensors, whole_folder
from endash.training.position import Position

_PARAMETERS, _OPTIMIZER, _RANDOM = "parameters.safetensors", "optimizer.safetensors", "random.safetensors"
_POSITION, _MANIFEST = "position.json", "manifest.json"
_FULL = 2  # newest checkpoints that keep their optimiser: should the last one be damaged, there is another


class Checkpoints:
    """The checkpoints of one run, in one folder; `warn` is called with each damage that is found and got over."""

    def __init__(self, folder: Path, *, warn: Callable[[str], None]) -> None:
        self.folder, self.warn = folder, warn
        folder.mkdir(parents=True, exist_ok=True)
        mend(folder)

    def steps(self) -> list[int]:
        """The steps of all checkpoints, in order."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def path(self, step: int) -> Path:
        """The folder of a step's checkpoint."""
        return self.folder / f"step-{step:06d}"

    def write(self, position: Position, network: nn.Module, optimizer: torch.optim.Optimizer) -> Path:
        """Write the checkpoint of `position`.

        Raises TrainingError if it cannot be written; the earlier checkpoints stay as they are.
        """
        path = self.path(position.step)
        try:
            with whole_folder(path) as folder:
                _save(parameters(network), folder / _PARAMETERS)
                _save(_moments(network, optimizer), folder / _OPTIMIZER)
                _save(_random_states(), folder / _RANDOM)
                _write_json(folder / _POSITION, position.to_dict())
                files = {file.name: seal(file) for file in sorted(folder.iterdir())}
                _write_json(folder / _MANIFEST, {"threads": torch.get_num_threads(), "files": files})
        except OSError as error:
            raise TrainingError(
                f"the checkpoint of step {position.step} cannot be written to {path}: {_reason(error)}. "
                f"{self._held()} Free some space or mend the folder, then go on with --resume"
            ) from error
        return path

    def newest(self) -> int | None:
        """The step of the newest whole checkpoint, None if there is none. Warns of each damaged one that is passed over.

        Raises TrainingError if there are checkpoints and none of them is whole.
        """
        found = [step for step in reversed(self.steps()) if (self.path(step) / _OPTIMIZER).exists()]
        problems: list[str] = []
        for step in found:
            problem = _damage(self.path(step))
            if problem is None:
                for text in problems:
                    self.warn(f"{text}: going on from step {step} instead")
                return step
            problems.append(problem)
        if problems:
            raise TrainingError(
                f"no checkpoint in {self.folder} can be gone on from: {'; '.join(problems)}. "
                "Bring them back from a copy, or start again in another folder with --out"
            )
        return None

    def restore(self, step: int, network: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
        """Put the checkpoint of `step` into `network`, `optimizer` and torch's random generators.

        Raises TrainingError if it belongs to another network.
        """
        folder = self.path(step)
        put(load_file(folder / _PARAMETERS), network, where=str(folder))
        moments = load_file(folder / _OPTIMIZER)
        own = dict(network.named_parameters())
        for key, value in moments.items():
            slot, _, name = key.partition(".")
            optimizer.state[own[name]][slot] = value.to(own[name].device)
        _set_random_states(load_file(folder / _RANDOM))
        return Position.from_dict(json.loads((folder / _POSITION).read_text(encoding="utf-8")))

    def threads(self, step: int) -> int:
        """With how many threads a checkpoint's process computed: only with as many are the sums the same to the bit."""
        threads: int = json.loads((self.path(step) / _MANIFEST).read_text(encoding="utf-8"))["threads"]
        return threads

    def average(self, steps: Iterable[int]) -> dict[str, Tensor]:
        """The mean of the parameters of some checkpoints; one that is damaged is left out with a warning.

        Raises TrainingError if none is whole.
        """
        total: dict[str, Tensor] = {}
        count = 0
        for step in sorted(steps):
            if problem := _damage(self.path(step), only=_PARAMETERS):
                self.warn(f"{problem}: it is left out of the average")
                continue
            count += 1
            for name, value in load_file(self.path(step) / _PARAMETERS).items():
                if value.is_floating_point():
                    total[name] = total.get(name, 0) + value.double()
                else:
                    total[name] = value
        if count == 0:
            raise TrainingError(f"the best checkpoints in {self.folder} are damaged: train again in another folder")
        return {name: (value / count).float() if value.is_floating_point() else value for name, value in total.items()}

    def prune(self, keep: Iterable[int]) -> None:
        """Remove the checkpoints that are neither the newest two nor in `keep`; those in `keep` keep their parameters."""
        steps, kept = self.steps(), set(keep)
        for step in steps[:-_FULL]:
            if step in kept:
                remove(self.path(step) / _OPTIMIZER)
            else:
                gone = self.folder / f".{self.path(step).name}.writing"
                os.replace(self.path(step), gone)
                remove(gone)

    def _held(self) -> str:
        steps = self.steps()
        return f"The one of step {steps[-1]} is untouched." if steps else "There is no earlier one."


def parameters(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and stored buffers of a network by name; those that share one tensor under the first name only."""
    stored = network.state_dict()
    return dict(network.named_parameters()) | {name: one for name, one in network.named_buffers() if name in stored}


def put(values: dict[str, Tensor], network: nn.Module, *, where: str) -> None:
    """Copy `values` into the parameters of `network`. Raises TrainingError if names or shapes are not the network's."""
    own = parameters(network)
    wrong = sorted(own.keys() ^ values.keys()) or [name for name in own if own[name].shape != values[name].shape]
    if wrong:
        raise TrainingError(
            f"{where} is of another network: {', '.join(wrong[:3])} {'differs' if len(wrong) == 1 else 'differ'} "
            f"({len(wrong)} of {len(own)} parameters): resume with the recipe the run began with"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(values[name])


def _moments(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{slot}.{name}": value
        for name, parameter in network.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda.{number}": state for number, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _set_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    for name, state in states.items():
        if name.startswith("cuda.") and torch.cuda.is_available():
            torch.cuda.set_rng_state(state, int(name.removeprefix("cuda.")))


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_tensors({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")


def seal(file: Path) -> dict[str, Any]:
    """What a file holds, in short: its size and checksum."""
    with open(file, "rb") as content:
        return {"bytes": file.stat().st_size, "blake2b": hashlib.file_digest(content, _blake2b).hexdigest()}


def _blake2b() -> Any:
    return hashlib.blake2b(digest_size=16)


def _damage(folder: Path, *, only: str | None = None) -> str | None:
    """What is wrong with a checkpoint (or with one file of it), None if it is whole."""
    try:
        files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
        broken = [name for name in files if only in (None, name) and seal(folder / name) != files[name]]
    except (OSError, ValueError, KeyError) as error:
        return f"the checkpoint {folder} is not whole ({_reason(error)})"
    return f"the checkpoint {folder} is damaged ({broken[0]} is not as it was written)" if broken else None


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return f"{strerror}" if strerror else f"{error}" or type(error).__name__
