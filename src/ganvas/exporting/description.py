"""What a page has to know of a model to draw with it, and what there is to try it with."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor

import ganvas
from ganvas.config import load_recipe, recipe_names
from ganvas.data.label_maps import CAMVID
from ganvas.data.preparation import Preparation
from ganvas.inference.translation import enlarging
from ganvas.model_file import LabelHeader, ModelHeader, TranslateHeader

EXAMPLES = Path(ganvas.__file__).parent / "studio" / "examples"


def described(header: LabelHeader | TranslateHeader) -> dict[str, Any]:
    """What the page calls a model's info, as JSON, but for its name and title, where it comes from and its examples."""
    about: dict[str, Any] = {
        "description": _description(header.recipe),
        "size": header.size,
        "licence": header.data.licence,
        "images_seen": header.images_seen,
    }
    if isinstance(header, LabelHeader):
        return about | {
            "task": "label",
            "channels": header.channels,
            "hints": False,
            "class_names": list(header.class_names) if header.conditional else [],
            "source": None,
        }
    return about | {
        "task": "translate",
        "channels": header.target.channels,
        "hints": header.hints,
        "class_names": list(header.class_names),
        "source": _source(header.source),
    }


def examples_for(header: ModelHeader) -> list[Path]:
    """Sources to try a model with: drawings for one that colours them, street scenes in the palette of CamVid."""
    if not isinstance(header, TranslateHeader):
        return []
    source = header.source
    if source.kind == "labels":
        camvid = source.class_names == tuple(name for name, _ in CAMVID)
        return sorted((EXAMPLES / "camvid").glob("*.png")) if camvid else []
    return sorted((EXAMPLES / "drawings").glob("*.png")) if source.channels == 1 else []


def sampling(header: LabelHeader | TranslateHeader) -> dict[str, Any] | None:
    """How pictures are drawn from noise; None for a model that starts from a picture."""
    if not isinstance(header, LabelHeader):
        return None
    return {
        "latent": header.generator.noise_length,
        "uniform": header.generator.network == "paper",
        "value_range": list(header.value_range),
    }


def translating(header: LabelHeader | TranslateHeader) -> dict[str, Any] | None:
    """How a picture is prepared and its result finished; None for a model that draws from noise."""
    if not isinstance(header, TranslateHeader):
        return None
    source, target = header.source, header.target
    paper = Image.new("RGB", (1, 1), ImageColor.getrgb(source.background)[:3])
    return {
        "fit": source.fit,
        "resize": source.resize,
        "background": list(paper.tobytes()),
        "colours": [list(colour) for colour in source.colours] if source.kind == "labels" else [],
        "ignore": source.ignore,
        "enlarge": enlarging(target).resize,
        "result_colours": [list(colour) for colour in target.colours],
        "multiple": 1 << (header.size.bit_length() - 1),
        "sweeps": bool(getattr(header.generator, "spread", 0)),
    }


@lru_cache(maxsize=256)
def _description(recipe: str) -> str:
    return load_recipe(recipe).description if recipe in recipe_names() else ""


def _source(source: Preparation) -> dict[str, Any]:
    named = zip(source.class_names, source.colours, strict=True)
    classes = [
        {"id": number, "name": name, "colour": f"#{red:02x}{green:02x}{blue:02x}"}
        for number, (name, (red, green, blue)) in enumerate(named)
    ]
    return {"kind": source.kind, "channels": source.channels, "classes": classes if source.kind == "labels" else []}
