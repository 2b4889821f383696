"""Tasks: what a model is for. ``task = { kind = "…" }`` of a recipe names one; without, a recipe is of a translation."""

from endash.evaluation.scorer import Answer
from endash.tasks import (
    captioning,
    classification,
    denoising,
    dialogue,
    generation,
    inference,
    prompting,
    reconstruction,
    speech_recognition,
    tagging,
)
from endash.tasks.contract import Reads, Task, TooLong, Writes
from endash.tasks.labelling import LabelTask
from endash.tasks.registry import tasks
from endash.tasks.signals import SignalTask
from endash.tasks.translation import TranslationTask

__all__ = [
    "Answer",
    "LabelTask",
    "Reads",
    "SignalTask",
    "Task",
    "TooLong",
    "TranslationTask",
    "Writes",
    "captioning",
    "classification",
    "denoising",
    "dialogue",
    "generation",
    "inference",
    "prompting",
    "reconstruction",
    "speech_recognition",
    "tagging",
    "tasks",
]
