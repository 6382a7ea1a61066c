"""Tasks to control: data from files or libraries, the named models, presets, disjoint instances."""

from training_control.tasks.base import Task
from training_control.tasks.instances import Instance, instances
from training_control.tasks.presets import PRESETS
from training_control.tasks.registry import MODELS, TASKS, make_task

__all__ = ["MODELS", "PRESETS", "TASKS", "Instance", "Task", "instances", "make_task"]
