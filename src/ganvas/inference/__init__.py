"""Using a trained model; :class:`Model` is the one face of it for the command line, the Python API and the studio."""

from __future__ import annotations

from ganvas.inference.files import Translated as Translated
from ganvas.inference.files import Translations as Translations
from ganvas.inference.model import Model as Model
from ganvas.inference.model import is_export as is_export
from ganvas.inference.model import model_name as model_name
from ganvas.inference.model import read_header as read_header
from ganvas.inference.model import resolve_model as resolve_model
from ganvas.inference.model import shipped_models as shipped_models
from ganvas.inference.sampling import CHUNK as CHUNK
from ganvas.inference.sampling import SHEET_PIXELS as SHEET_PIXELS
from ganvas.inference.sampling import SHEET_SIDE as SHEET_SIDE
from ganvas.inference.sampling import Sheet as Sheet
from ganvas.inference.sampling import _interpolate as _interpolate
from ganvas.inference.sampling import _most_cells as _most_cells
