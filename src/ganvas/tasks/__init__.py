"""What binds G, D, the objective and the two optimisers; all that the training loop knows."""

from ganvas.tasks.label import LabelTask as LabelTask
from ganvas.tasks.segment import SegmentTask as SegmentTask
from ganvas.tasks.task import Task as Task
from ganvas.tasks.translate import TranslateTask as TranslateTask
