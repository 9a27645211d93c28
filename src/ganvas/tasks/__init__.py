"""What binds G, D, the objective and the two optimisers; the training loop knows no more than :class:`Task`."""

from ganvas.tasks.label import LabelTask as LabelTask
