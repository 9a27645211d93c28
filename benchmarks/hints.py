"""What dabs of the true colours do: held-out pairs translated with 0, 1, 5 and 20 of them.

    python benchmarks/hints.py sketch2color --without RUN --json docs/results/hints.json --sheet docs/pictures/hints.png
    python benchmarks/hints.py sketch2color --variations docs/pictures/variations.png

MODEL takes hints; RUN is a model of the same recipe but for `hints.enabled = false`, on the same data. The dabs lie at
random places, fixed by --seed; the larger numbers are other dabs, not the same and more.
--variations draws what `ganvas translate --variations` makes of some of the pairs, and nothing else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from ganvas.config import Hints, TranslateRecipe, load_recipe
from ganvas.data.hints import hints_at, recoloured
from ganvas.data.pairs import PairImages, open_pairs
from ganvas.inference import Model, resolve_model
from ganvas.metrics.intervals import mean_interval
from ganvas.metrics.pictures import measure_pictures
from ganvas.model_file import TranslateHeader, load_model
from ganvas.pictures import grid, save_png, to_uint8

COUNTS = (0, 1, 5, 20)
WISHES = (1, 5)
SAME_COLOUR = 24  # of 255: how far a region's colours are from its dab's
BATCH = 4
SHOWN = 10
VARIATIONS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model that takes hints")
    parser.add_argument("--without", help="a model of the same recipe that does not")
    parser.add_argument("--data", default="", help="pairs; default: the emoji")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--variations", type=Path)
    options = parser.parse_args()
    if options.variations and (options.without or options.json or options.sheet):
        parser.error("--variations goes with none of --without, --json and --sheet")
    rows: dict[str, Any] = {}
    generator, header = load_translator(options.model)
    pairs = held_out(header, options.data)
    if options.variations:
        _variations(Model(options.model), pairs, options.seed, options.variations)
        return
    drawn: dict[str, Tensor] = {}
    if options.without:
        plain, plain_header = load_translator(options.without)
        drawn["trained without hints"] = translated(plain, plain_header, pairs, None)
    hints = {count: random_dabs(pairs, count, options.seed + count) for count in COUNTS}
    for count in COUNTS:
        drawn[_name(count)] = translated(generator, header, pairs, hints[count])
    targets = _scaled(pairs.targets)
    for name, pictures in drawn.items():
        rows[name] = _distances(pictures, targets)
    for count in COUNTS[1:]:
        under, region = _colour_errors(drawn[_name(count)], targets, hints[count])
        rows[_name(count)] |= {"under_dab": _interval(under), "region": _interval(region)}
        # A dab is of one colour and the picture under it often is not: the truth differs from it too.
        under, region = _colour_errors(targets, targets, hints[count])
        rows[f"truth, {_name(count)}"] = {"under_dab": _interval(under), "region": _interval(region)}
    for count in WISHES:
        # What a person wants need not be what was there: one of the colours is another, of the truth and of its dabs.
        torch.manual_seed(options.seed + count)
        wished, dabs = recoloured(targets, hints[count], 1.0)
        changed = (wished != targets).any(1).flatten(1).any(1)
        pictures = translated(generator, header, pairs, dabs)[changed]
        under, region = _colour_errors(pictures, wished[changed], dabs[changed])
        distances = _distances(pictures, wished[changed])
        rows[f"{_name(count)}, one of another colour"] = distances | {
            "under_dab": _interval(under),
            "region": _interval(region),
        }
    result = {"model": header.recipe, "images_seen": header.images_seen, "pairs": len(pairs), "rows": rows}
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.sheet:
        _sheet(pairs, drawn, hints, options.sheet)


def table(result: dict[str, Any]) -> str:
    """The result as Markdown; intervals are of the mean over the pictures."""
    scales = next(name for name in next(iter(result["rows"].values())) if name.startswith("ms_"))
    lines = [f"| dabs | L1 | {scales} | colour under the dab | colour of its region |", "|---|---|---|---|---|"]
    for name, values in result["rows"].items():
        cells = [_cell(values, "l1", ".4f"), _cell(values, scales, ".4f")]
        cells += [_cell(values, key, ".1f") for key in ("under_dab", "region")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _distances(pictures: Tensor, targets: Tensor) -> dict[str, list[float]]:
    values = measure_pictures(_pixels(pictures), _pixels(targets))
    return {name: _interval(found) for name, found in values.items() if name == "l1" or name.startswith("ms_")}


def _name(count: int) -> str:
    return f"{count} dabs" if count != 1 else "1 dab"


def _cell(values: dict[str, Any], key: str, form: str) -> str:
    if key not in values:
        return ""
    mean, low, high = values[key]
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"


def _interval(values: npt.ArrayLike) -> list[float]:
    found = mean_interval(values)
    return [found.mean, found.low, found.high]


def load_translator(name: str) -> tuple[torch.nn.Module, TranslateHeader]:
    generator, header = load_model(resolve_model(name))
    assert isinstance(header, TranslateHeader), f"'{name}' translates no pictures"
    return generator, header


def held_out(header: TranslateHeader, path: str) -> PairImages:
    recipe = load_recipe(header.recipe, [f"data.size={header.size}", f"data.path='{path}'"], of=TranslateRecipe)
    return open_pairs(recipe.data, "test", side=header.size)


def random_dabs(pairs: PairImages, count: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return hints_at(_scaled(pairs.targets), count, Hints(enabled=True))


def _scaled(pictures: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1


def _pixels(pictures: Tensor) -> Tensor:
    return torch.from_numpy(to_uint8(pictures.numpy()))


@torch.inference_mode()
def translated(generator: torch.nn.Module, header: TranslateHeader, pairs: PairImages, hints: Tensor | None) -> Tensor:
    parts = []
    for start in range(0, len(pairs), BATCH):
        x = header.source.encode(torch.from_numpy(np.ascontiguousarray(pairs.sources[start : start + BATCH])))
        if hints is not None:
            x = torch.cat([x, hints[start : start + BATCH]], dim=1)
        parts.append(generator(x))
    return torch.cat(parts)


def _colour_errors(drawn: Tensor, targets: Tensor, hints: Tensor) -> tuple[list[float], list[float]]:
    """Mean absolute difference from the dabs' colours, of 255: of the pixels under them, and of the mean colour of the
    region of equal true colour around them; a value a picture."""
    under, regions = [], []
    for picture, target, hint in zip(*(tensor.numpy() for tensor in (drawn, targets, hints)), strict=True):
        mask = hint[3] > 0
        under.append(float(np.abs(picture - hint[:3])[:, mask].mean() * 127.5))
        found = []
        # A dab is of one colour, so what touches it in another colour is another dab.
        for colour in np.unique(hint[:3][:, mask], axis=1).T:
            dab = mask & (hint[:3] == colour[:, None, None]).all(axis=0)
            alike = (np.abs(target - colour[:, None, None]) * 127.5 <= SAME_COLOUR).all(axis=0)
            areas, _ = ndimage.label(alike)
            touched = np.unique(areas[dab & alike])
            region = np.isin(areas, touched[touched > 0])
            if region.any():
                found.append(np.abs(picture[:, region].mean(axis=1) - colour).mean() * 127.5)
        if found:
            regions.append(float(np.mean(found)))
    return under, regions


def _sheet(pairs: PairImages, drawn: dict[str, Tensor], hints: dict[int, Tensor], path: Path) -> None:
    """Rows: pictures; columns: source, then without, with none, 1, 5 (and these dabs), 20, and the truth."""
    chosen = pairs.spread(SHOWN)
    cells, captions = [], []
    for index in chosen:
        source = _source(pairs, index)
        dabbed = source.copy()
        hint = hints[5][index].numpy()
        mask = hint[3] > 0
        dabbed[mask] = to_uint8(np.moveaxis(hint[:3], 0, -1))[mask]
        row = {"sketch": source}
        row |= {name: to_uint8(np.moveaxis(pictures[index].numpy(), 0, -1)) for name, pictures in drawn.items()}
        row |= {"the 5 dabs": dabbed, "truth": np.moveaxis(pairs.targets[index], 0, -1)}
        cells += list(row.values())
        captions += list(row) if index == chosen[-1] else [""] * len(row)
    save_png(grid(np.stack(cells), len(cells) // len(chosen), captions=captions, gap=4), path)


def _variations(model: Model, pairs: PairImages, seed: int, path: Path) -> None:
    """Rows: pictures; columns: source, translation, and variations of it."""
    cells = []
    for index in pairs.spread(SHOWN):
        sketch = np.moveaxis(pairs.sources[index], 0, -1)
        varied = model.variations(sketch, VARIATIONS, seed=seed)
        cells += [_source(pairs, index), *map(np.asarray, (model.translate(sketch), *varied))]
    columns = ["sketch", "as it chooses", *(f"variation {number}" for number in range(1, VARIATIONS + 1))]
    captions = [""] * (len(cells) - len(columns)) + columns
    save_png(grid(np.stack(cells), len(columns), captions=captions, gap=4), path)


def _source(pairs: PairImages, index: int) -> npt.NDArray[np.uint8]:
    """RGB (S, S, 3)."""
    shown: npt.NDArray[np.uint8] = pairs.source_preparation.shown(np.moveaxis(pairs.sources[index], 0, -1)[None])[0]
    return shown


if __name__ == "__main__":
    main()
