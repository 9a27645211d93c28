"""Write the tables of the documents from the results in docs/results.

    python tools/fill_tables.py          fill them
    python tools/fill_tables.py --check  say which are out of date, exit 1 if any is

A table stands between `<!-- table NAME -->` and `<!-- end -->`, NAME being a file of docs/results without ending: .json
of a benchmark, or .md as `ganvas study` wrote it. Of a file with several tables a colon and which one follow. Where
there is no such file yet, the place is left as it is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import ablation_digits_cgan  # noqa: E402
import against_classic  # noqa: E402
import cgan_step  # noqa: E402
import classes  # noqa: E402
import course_history  # noqa: E402
import evaluate_cost  # noqa: E402
import evaluate_models  # noqa: E402
import export_quality  # noqa: E402
import flat_areas  # noqa: E402
import hints  # noqa: E402
import measure_digits  # noqa: E402
import paper_variety  # noqa: E402
import parzen_guide  # noqa: E402
import pix2pix_loss_curves  # noqa: E402
import pix2pix_step  # noqa: E402
import sketch_methods  # noqa: E402
import studio_load  # noqa: E402
import studio_page  # noqa: E402
import translate_speed  # noqa: E402

TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "digits": measure_digits.table,
    "ablation-digits-cgan": ablation_digits_cgan.table,
    "against-classic-colorize": against_classic.table,
    "against-classic-labels2street": against_classic.table,
    "against-classic-labels2street:looks": against_classic.looks,
    "against-classic-labels2street-smooth": against_classic.table,
    "against-classic-labels2street-turned": against_classic.table,
    "against-classic-labels2street-whole": against_classic.table,
    "against-classic-labels2street-whole:looks": against_classic.looks,
    "against-classic-photo2labels": against_classic.table,
    "against-classic-sketch2color": against_classic.table,
    "cgan-step": cgan_step.printed,
    "classes": classes.table,
    "course-history": course_history.table,
    "digits-evaluated": evaluate_models.table,
    "evaluate-cost": evaluate_cost.table,
    "export:agreement": export_quality.agreement,
    "export:bits": export_quality.bits,
    "export:digits": export_quality.digits,
    "export:page": export_quality.page,
    "export:pictures": export_quality.pictures,
    "flat-areas": flat_areas.table,
    "flat-areas-dabbed": flat_areas.table,
    "flat-areas-dabbed-parts": flat_areas.table,
    "flat-areas-open": flat_areas.table,
    "flat-areas-parts": flat_areas.table,
    "flat-areas-spread": flat_areas.table,
    "flat-areas-spread-dabbed": flat_areas.table,
    "flat-areas-spread-parts": flat_areas.table,
    "hints": hints.table,
    "hints-short": hints.table,
    "hints-short-without-blocks": hints.table,
    "paper-variety": paper_variety.table,
    "parzen-guide": parzen_guide.table,
    "pix2pix-loss-curves": pix2pix_loss_curves.printed,
    "pix2pix-step": pix2pix_step.printed,
    "sketch-methods": sketch_methods.table,
    "streets-one-scale": evaluate_models.table,
    "streets-texture": evaluate_models.table,
    "streets-whole": evaluate_models.table,
    "studio-load": studio_load.printed,
    "studio-load-training": studio_load.printed,
    "studio-page": studio_page.printed,
    "translate-speed": translate_speed.printed,
}
PLACE = re.compile(r"(<!-- table ([\w:-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A document with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        file = match[2].partition(":")[0]
        study, benchmark = (ROOT / "docs/results" / f"{file}{ending}" for ending in (".md", ".json"))
        if study.exists():
            return f"{match[1]}{study.read_text('utf-8')}{match[3]}"
        if not benchmark.exists():
            return match[0]
        return f"{match[1]}{TABLES[match[2]](json.loads(benchmark.read_text('utf-8')))}\n{match[3]}"

    return PLACE.sub(table, text)


def main() -> None:
    stale = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        before = path.read_text("utf-8")
        after = filled(before)
        if before != after:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(after, "utf-8")
    print(f"tables {'out of date' if '--check' in sys.argv else 'written'} in: {', '.join(stale) or 'none'}")
    sys.exit(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    main()
