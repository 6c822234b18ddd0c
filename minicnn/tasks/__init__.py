"""What can be learnt: `python -m minicnn.train --task NAME`.

Read `task` first, then `classifier`, `digits`, `parity`, `painting`.
"""

from .classifier import Classifier
from .digits import Digits
from .painting import Painting
from .parity import Parity
from .task import Task, TaskDataset

TASKS: dict[str, Task] = {task.name: task for task in (Digits(), Parity(), Painting())}

__all__ = ["TASKS", "Classifier", "Digits", "Painting", "Parity", "Task", "TaskDataset"]
