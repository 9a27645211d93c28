"""Labelled pictures: the embedded digits, IDX files, folders of classes; their download and their check."""

from __future__ import annotations

from ganvas.data.labelled import LabelledImages as LabelledImages
from ganvas.data.labelled import Split as Split
from ganvas.data.labelled import open_labelled as open_labelled
