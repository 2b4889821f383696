"""The tasks by kind."""

from endash.registry import Registry
from endash.tasks.contract import Task

tasks: Registry[Task] = Registry("task")
