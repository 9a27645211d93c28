"""Models, both servers of the page and the browser, once for all tests here; a page of its own for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ganvas
from ganvas.config import load_recipe
from ganvas.data.preparation import Preparation
from ganvas.training.run import TrainingRun
from streets import SMALL, make_streets
from test_translate import make_model

if TYPE_CHECKING:  # not everybody has what it imports
    from playwright.sync_api import Browser

    from e2e.visiting import Visit

# Its assertions then tell what they found, as those of the tests do.
pytest.register_assert_rewrite("e2e.visiting")

PAGE = Path(ganvas.__file__).parent / "studio" / "static" / "index.html"


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with a finished one that draws from label maps, and a model of colour pictures."""
    folder = tmp_path_factory.mktemp("runs")
    streets = make_streets(tmp_path_factory.mktemp("streets"))
    settings = (
        *SMALL,
        f"data.path='{streets}'",
        "discriminator.scales=1",
        "train.total_images=32",
        "train.batch_size=8",
        "train.tick_images=8",
        "train.sample_images=16",
        "train.checkpoint_images=16",
        "validation.every_images=16",
        "validation.samples=4",
    )
    TrainingRun(load_recipe("labels2street", settings), folder / "street", device="cpu").finish()
    # Prepared otherwise than the shipped one, in all that the browser has to do as Python does.
    source = Preparation(fit="pad", resize="lanczos", background="#204060")
    make_model(folder / "tiny.safetensors", source=source, hints=True)
    return folder


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from e2e.visiting import CHROMIUM

    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    if not PAGE.is_file():
        pytest.skip("the page is not built: run `make web`")
    with sync_playwright() as playwright:
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield started
        started.close()


@pytest.fixture(scope="package", params=["studio", "exported"])
def address(
    request: pytest.FixtureRequest, browser: Browser, runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Of the page: with a studio behind it, or in a folder that knows no server."""
    from e2e.visiting import any_host, studio

    if request.param == "studio":
        with studio(runs) as place:
            yield place
        return
    folder = tmp_path_factory.mktemp("web") / "page"
    ganvas.export(["sketch2color", "digits-conv", runs / "street", runs / "tiny.safetensors"], folder, to="web")
    # Below the root, as on many hosts.
    with any_host(folder.parent) as place:
        yield f"{place}page/"


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A page of its own, which must not complain; a violation of the content security policy is a complaint."""
    from e2e.visiting import Visit

    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", accept_downloads=True)
    visit = Visit(context, address)
    yield visit
    context.close()
    assert visit.complaints == []
    assert visit.strangers == []
