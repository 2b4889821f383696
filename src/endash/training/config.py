"""How to train: the ``[training]`` section of a recipe. No torch here, so that a recipe is read in an instant."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from endash.config import Config

_DEFAULT_EPOCHS = 20
_LIMITS = ("max_steps", "max_epochs", "max_minutes")


class TrainingConfig(Config):
    """The optimiser, its schedule, the size of a step, when to validate and when to stop.

    Of `max_steps`, `max_epochs` and `max_minutes` the first that is reached ends the run; with none, it is 20 epochs.
    """

    max_steps: Annotated[int | None, Field(ge=1, description="steps of the optimiser")] = None
    max_epochs: Annotated[int | None, Field(ge=1, description="times through the corpus")] = None
    max_minutes: Annotated[float | None, Field(gt=0, description="minutes of training, validation included")] = None

    batch_tokens: Annotated[
        int, Field(ge=1, description="padded tokens of a batch on its larger side; passages count as source")
    ] = 4096
    accumulate: Annotated[int, Field(ge=1, description="batches whose gradients make one step")] = 1

    learning_rate: Annotated[float, Field(gt=0, description="the highest, reached at the end of the warm-up")] = 1e-3
    pretrained_rate: Annotated[
        float, Field(gt=0, le=1, description="share of the learning rate for what was trained elsewhere")
    ] = 1.0
    warmup: Annotated[int, Field(ge=0, description="steps in which the learning rate rises from 0")] = 1000
    schedule: Annotated[
        Literal["inverse-square-root", "cosine", "linear"], Field(description="how the learning rate falls afterwards")
    ] = "inverse-square-root"
    weight_decay: Annotated[float, Field(ge=0, description="of matrices; vectors are never decayed")] = 0.01
    clip: Annotated[float, Field(gt=0, description="largest norm of the gradient of all parameters")] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1

    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description="auto is cuda where there is one")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="auto is bfloat16 where the hardware multiplies in it"),
    ] = "auto"

    validate_every: Annotated[int | None, Field(ge=1, description="steps; each epoch if not given")] = None
    metric: Annotated[str, Field(description="what makes a checkpoint the best, on the valid part")] = "bleu"
    patience: Annotated[int | None, Field(ge=1, description="validations without a new best before the end")] = None
    average: Annotated[int, Field(ge=1, description="best checkpoints whose parameters are averaged in the end")] = 5

    log_every: Annotated[int, Field(ge=1, description="steps between two lines of metrics.jsonl")] = 50

    @model_validator(mode="before")
    @classmethod
    def _default_end(cls, data: Any) -> Any:
        if isinstance(data, dict) and all(data.get(name) is None for name in _LIMITS):
            return {**data, "max_epochs": _DEFAULT_EPOCHS}
        return data

    @model_validator(mode="after")
    def _schedule_has_an_end(self) -> Self:
        if self.schedule != "inverse-square-root" and self.max_steps is None and self.max_epochs is None:
            raise ValueError(
                f"schedule = {self.schedule!r} falls to 0 at the end, and max_minutes does not say at which step that is: "
                'give max_steps or max_epochs too, or use schedule = "inverse-square-root"'
            )
        return self


FREE_ON_RESUME = frozenset({*_LIMITS, "patience", "log_every"})
"""The settings that may differ when a run is gone on with: they change when it ends and what it shows, not what it is."""


class DistillationConfig(Config):
    """Section ``[distillation]`` of a recipe: a model whose translations of the train part are learned from."""

    paths: ClassVar = ("teacher",)

    teacher: Annotated[str, Field(min_length=1, description="a model or run, with a vocabulary of its own")]
    targets: Annotated[
        Literal["both", "teacher"],
        Field(description="the teacher's targets and the corpus's own, or the teacher's alone"),
    ] = "both"
    beam: Annotated[int, Field(ge=1, description="beams of a source when the teacher translates")] = 5
