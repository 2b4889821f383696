"""The tasks by kind."""

from __future__ import annotations

import inspect

from endash.errors import RecipeError, nearest
from endash.evaluation.metrics import NAMES
from endash.registry import Registry
from endash.tasks.contract import Task


class _Tasks(Registry[Task]):
    def register(self, cls: type[Task]) -> type[Task]:
        """See `Registry.register`. Raises RecipeError, too, for a task that would fail only when it is trained."""
        for metric in cls.metrics:
            if metric not in NAMES:
                raise RecipeError(f"{cls.__name__}.metrics: {metric!r} is unknown: {nearest(str(metric), NAMES)}")
        if inspect.isabstract(cls):
            missing = " and ".join(sorted(cls.__abstractmethods__))
            raise RecipeError(f"{cls.__name__} has no {missing}: write it, or begin from a task that has it")
        if cls.writes != "text" and not hasattr(cls, "divided"):
            raise RecipeError(
                f"{cls.__name__}.writes = {cls.writes!r} and it is no LabelTask: begin from one, such as ClassificationTask"
            )
        return super().register(cls)


tasks = _Tasks("task")
