"""Tasks: what a model is for. ``task = { kind = "…" }`` of a recipe names one; without, a recipe is of a translation."""

from endash.tasks.contract import Answer, Reads, Task, TooLong, Writes
from endash.tasks.registry import tasks
from endash.tasks.translation import TranslationTask

__all__ = ["Answer", "Reads", "Task", "TooLong", "TranslationTask", "Writes", "tasks"]
