"""The studio draws what the command line draws, answers the newest stroke, and keeps no more than it may."""

from __future__ import annotations

import base64
import gc
import io
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.api import load
from ganvas.data.label_maps import CAMVID
from ganvas.data.preparation import Preparation
from ganvas.inference import Model, shipped_models
from ganvas.studio.problems import ProblemError
from ganvas.studio.settings import Limits
from ganvas.studio.telemetry import Telemetry
from ganvas.studio.workers import Pool
from studio_help import Studio, png, problem, studio, until
from test_translate import PALETTE, dabs, make_model, picture, pixels

STREET = {"class_names": tuple(name for name, _ in CAMVID), "colours": tuple(colour for _, colour in CAMVID)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of every kind that a page meets."""
    folder = tmp_path_factory.mktemp("runs")
    make_model(folder / "plain.safetensors", generator={"dropout": 0.0})
    make_model(folder / "mine" / "model.safetensors", hints=True, source=Preparation(channels=1))
    make_model(folder / "classes.safetensors", class_names=("day", "night"))
    make_model(folder / "map.safetensors", source=Preparation(kind="labels", channels=1, **PALETTE))
    make_model(folder / "street.safetensors", source=Preparation(kind="labels", channels=1, **STREET))
    (folder / "broken.safetensors").write_bytes(b"no model")
    return folder


@pytest.fixture(scope="module")
def client(runs: Path) -> Iterator[Studio]:
    with studio(runs) as client:
        yield client


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image


def translate(client: Studio, name: str, image: Image.Image, hints: Image.Image | None = None, **form: Any) -> Any:
    files = {"picture": ("drawing.png", png(image))}
    if hints is not None:
        files["hints"] = ("hints.png", png(hints))
    return client.post(f"/api/models/{name}/translate", files=files, data=form)


# Which models there are


def test_models_are_the_shipped_ones_those_of_runs_and_files(client: Studio) -> None:
    models = {model["name"]: model for model in client.get("/api/models").json()}
    own = ["run:mine", "file:classes", "file:map", "file:plain", "file:street"]
    assert list(models) == [*shipped_models(), *own], "the broken one is left out"
    mine, digits = models["run:mine"], models["digits-cgan"]
    assert (mine["task"], mine["origin"], mine["title"]) == ("translate", "run", "mine")
    assert (mine["size"], mine["channels"], mine["hints"], mine["variations"]) == (32, 3, True, True)
    assert mine["source"] == {"kind": "picture", "channels": 1, "classes": []}
    assert mine["licence"] == "CC BY-SA 4.0: drawn by Ann"
    assert (digits["task"], digits["origin"], digits["source"]) == ("label", "shipped", None)
    assert digits["class_names"] == list("0123456789")
    assert models["digits-gan"]["class_names"] == []
    assert models["file:plain"]["variations"] is False
    assert models["file:classes"]["class_names"] == ["day", "night"]
    assert models["file:map"]["source"]["classes"] == [
        {"id": 0, "name": "sky", "colour": "#0000ff"},
        {"id": 1, "name": "road", "colour": "#5a5a5a"},
        {"id": 2, "name": "car", "colour": "#ff0000"},
    ]


@pytest.mark.parametrize(("name", "count"), [("run:mine", 4), ("file:street", 4), ("file:map", 0), ("digits-gan", 0)])
def test_examples_are_sources_that_the_model_takes(client: Studio, name: str, count: int) -> None:
    (told,) = (model["examples"] for model in client.get("/api/models").json() if model["name"] == name)
    assert told == count
    for number in range(count):
        answer = client.get(f"/api/models/{name}/examples/{number}.png")
        assert answer.headers["content-type"] == "image/png"
        example = opened(answer.content)
        assert translate(client, name, example).status_code == 200
        if name == "file:street":
            colours = {colour for _, colour in example.convert("RGB").getcolors(1 << 16) or []}
            assert colours <= set(STREET["colours"])
    problem(client.get(f"/api/models/{name}/examples/{count}.png"), 404, "not-found")


# Drawing


def test_a_translation_is_what_the_command_line_writes(client: Studio, runs: Path) -> None:
    image = picture(50, 34)
    answer = translate(client, "file:plain", image)
    assert answer.headers["content-type"] == "image/png"
    assert float(answer.headers["x-ganvas-milliseconds"]) > 0
    assert np.array_equal(pixels(opened(answer.content)), pixels(load(runs / "plain.safetensors").translate(image)))


@pytest.mark.parametrize(
    ("precision", "units", "drawn"), [("auto", True, "bf16"), ("auto", False, "fp32"), ("fp32", True, "fp32")]
)
def test_it_draws_in_bfloat16_where_the_processor_can_unless_told_not_to(
    runs: Path, monkeypatch: pytest.MonkeyPatch, precision: Any, units: bool, drawn: Any
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": units}, raising=False)
    image = picture(40, 40)
    with studio(runs, precision=precision) as client:
        found = pixels(opened(translate(client, "file:plain", image).content))
    wanted, other = (
        pixels(load(runs / "plain.safetensors", precision=name).translate(image))
        for name in (drawn, "fp32" if drawn == "bf16" else "bf16")
    )
    assert np.array_equal(found, wanted)
    assert not np.array_equal(found, other)


def test_hints_and_variations_reach_the_model(client: Studio, runs: Path) -> None:
    model, image, hints = load(runs / "mine"), picture(40, 40), dabs(40, 40)
    hinted = opened(translate(client, "run:mine", image, hints).content)
    assert np.array_equal(pixels(hinted), pixels(model.translate(image, hints=hints)))
    assert not np.array_equal(pixels(hinted), pixels(model.translate(image)))
    varied = opened(translate(client, "run:mine", image, variation=7).content)
    assert np.array_equal(pixels(varied), pixels(model.variations(image, 1, seed=7)[0]))


def test_label_maps_travel_in_the_colours_of_the_palette(client: Studio, runs: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 3, (20, 30), dtype=np.uint8)
    painted = Image.fromarray(np.array(PALETTE["colours"], dtype=np.uint8)[ids])
    found = opened(translate(client, "file:map", painted).content)
    expected = load(runs / "map.safetensors").translate(Image.fromarray(ids))
    assert np.array_equal(pixels(found), pixels(expected))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP", "MPO"])
def test_a_picture_is_known_by_what_it_holds(client: Studio, kind: str) -> None:
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": [picture(20, 10, 1)]} if kind == "MPO" else {}
    picture(20, 10).save(buffer, kind, **more)
    files = {"picture": ("drawing.txt", buffer.getvalue(), "text/plain")}
    answer = client.post("/api/models/file:plain/translate", files=files)
    assert opened(answer.content).size == (20, 10)


def drawn(answer: Any) -> list[tuple[str, bytes]]:
    assert answer.status_code == 200, answer.text
    return [(found["label"], opened(base64.b64decode(found["png"])).tobytes()) for found in answer.json()["pictures"]]


def test_digits_are_those_of_sample(client: Studio) -> None:
    model = load("digits-cgan")
    found = drawn(client.post("/api/models/digits-cgan/sample", json={"labels": [2, "0", 2, 6], "seed": 3}))
    assert [label for label, _ in found] == ["2", "0", "2", "6"]
    assert [image for _, image in found] == [image.tobytes() for image in model.sample([2, 0, 2, 6], seed=3)]
    every = drawn(client.post("/api/models/digits-cgan/sample", json={}))
    assert [label for label, _ in every] == list("0123456789")
    more = drawn(client.post("/api/models/digits-cgan/sample", json={"labels": [7], "count": 3}))
    assert [image for _, image in more] == [image.tobytes() for image in model.sample(7, count=3)]
    assert [label for label, _ in drawn(client.post("/api/models/digits-gan/sample", json={"count": 2}))] == ["", ""]


def test_a_walk_leads_from_one_seeds_picture_to_the_others(client: Studio) -> None:
    wanted = {"labels": [7], "seed": 1, "between": {"seed": 2, "steps": 5}}
    walk = drawn(client.post("/api/models/digits-cgan/sample", json=wanted))
    first, last = (load("digits-cgan").sample(7, seed=seed)[0].tobytes() for seed in (1, 2))
    assert [label for label, _ in walk] == ["7"] * 5
    assert (walk[0][1], walk[-1][1]) == (first, last)
    assert len({image for _, image in walk}) == 5


def test_the_same_noise_is_that_of_the_first_picture_under_each_label(client: Studio) -> None:
    found = drawn(client.post("/api/models/digits-cgan/sample", json={"same_noise": True, "seed": 4}))
    model = load("digits-cgan")
    assert [image for _, image in found] == [model.sample(digit, seed=4)[0].tobytes() for digit in range(10)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"labels": ["ten"]}, "has no class 'ten'"),
        ({"labels": []}, "labels"),
        ({"labels": [1] * 65}, "labels"),
        ({"labels": [True]}, "labels"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**53}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"count": 65}, "count"),
        ({"between": {"seed": 1, "steps": 1}}, "steps"),
        ({"between": {"seed": 1, "steps": 3}, "same_noise": True}, "give one of"),
        ({"lables": [1]}, "lables"),
        ({"page": "x" * 65}, "page"),
    ],
)
def test_what_cannot_be_sampled_is_told(client: Studio, body: dict[str, Any], said: str) -> None:
    assert said in problem(client.post("/api/models/digits-cgan/sample", json=body), 422, "invalid")


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [
        ("file:plain", {"label": "day"}, "takes no label"),
        ("file:classes", {}, "draws for a class"),
        ("file:classes", {"label": "dusk"}, "no class 'dusk'"),
        ("file:plain", {"variation": "1"}, "nothing to vary"),
        ("file:plain", {"variation": "-1"}, "variation"),
        ("file:plain", {"page": "x" * 65}, "page"),
        ("file:map", {}, "looks like a photo"),
        ("digits-cgan", {}, "draws without a picture"),
    ],
)
def test_what_cannot_be_translated_is_told(client: Studio, name: str, form: dict[str, Any], said: str) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 30, 3), dtype=np.uint8))
    assert said in problem(translate(client, name, image, **form), 422, "invalid")


def test_hints_that_do_not_fit_are_told(client: Studio) -> None:
    assert "takes no hints" in problem(translate(client, "file:plain", picture(8, 8), dabs(8, 8)), 422, "invalid")
    wrong = translate(client, "run:mine", picture(8, 8), dabs(9, 8))
    assert "the same size" in problem(wrong, 422, "invalid")


def test_unknown_models_are_told_with_the_nearest(client: Studio) -> None:
    said = problem(client.post("/api/models/digits-cgn/sample", json={}), 404, "not-found")
    assert "Did you mean 'digits-cgan'" in said


def test_a_damaged_model_is_told_and_leaves_the_studio_alive(client: Studio) -> None:
    assert "no model file or is damaged" in problem(translate(client, "file:broken", picture(8, 8)), 500, "failed")
    assert translate(client, "file:plain", picture(8, 8)).status_code == 200


# Waiting


class Held:
    """Keeps a model at work until it is let go."""

    def __init__(self, pool: Pool, path: Path) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self.future = pool.submit(path, self._wait)
        assert self._begun.wait(20)

    def _wait(self, model: Model) -> None:
        self._begun.set()
        assert self._go.wait(20)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self.future.result(20)


def test_of_one_page_only_the_newest_request_is_drawn(client: Studio, runs: Path) -> None:
    pool, strokes = client.state.pool, [picture(16, 16, seed) for seed in range(4)]
    with ThreadPoolExecutor() as threads:
        with Held(pool, runs / "plain.safetensors"):
            answers = []
            for place, page in enumerate("abaa"):
                answers.append(threads.submit(translate, client, "file:plain", strokes[place], page=page))
                # Each has arrived before the next is sent: it waits, or has taken the place of one that waited.
                waiting = len(set("abaa"[: place + 1]))
                done = place - (waiting - 1)
                until(lambda n=waiting, d=done: pool.waiting == n and sum(a.done() for a in answers) == d)  # type: ignore[misc]
            assert client.get("/healthz").json() == {"status": "ok"}, "nothing else waits"
        codes = [answer.result().status_code for answer in answers]
    assert codes == [409, 200, 409, 200]
    problem(answers[0].result(), 409, "superseded")
    expected = load(runs / "plain.safetensors").translate(strokes[3])
    assert np.array_equal(pixels(opened(answers[3].result().content)), pixels(expected))


def test_a_new_request_takes_the_place_of_the_old_one_in_the_queue(runs: Path) -> None:
    pool, order = Pool(Limits(), Telemetry()), []
    path = runs / "plain.safetensors"
    with Held(pool, path):
        old = pool.submit(path, lambda model: order.append("old"), page="a")
        others = [pool.submit(path, lambda model: order.append("other"), page="b")]
        new = pool.submit(path, lambda model: order.append("new"), page="a")
    for future in (*others, new):
        future.result(20)
    assert order == ["new", "other"]
    assert isinstance(old.exception(), ProblemError)
    pool.close()


def test_of_one_page_only_the_newest_sample_is_drawn(client: Studio) -> None:
    """As of drawings: the digits of an older request are not drawn once the page asks for others."""
    pool = client.state.pool
    with ThreadPoolExecutor() as threads, Held(pool, client.state.catalogue.find("digits-gan").path):
        answers = []
        for seed in range(3):
            wanted = {"count": 1, "seed": seed, "page": "a"}
            answers.append(threads.submit(client.post, "/api/models/digits-gan/sample", json=wanted))
            until(lambda n=seed: pool.waiting == 1 and sum(a.done() for a in answers) == n)  # type: ignore[misc]
    problem(answers[0].result(), 409, "superseded", "newer-request")
    problem(answers[1].result(), 409, "superseded", "newer-request")
    ((_, newest),) = drawn(answers[2].result())
    assert newest == load("digits-gan").sample(count=1, seed=2)[0].tobytes()


def test_a_full_queue_refuses_and_says_when_to_come_again(runs: Path) -> None:
    with studio(runs, limits=Limits(queue=2)) as client:
        pool, path = client.state.pool, runs / "plain.safetensors"
        with Held(pool, path):
            futures = [pool.submit(path, lambda model: None) for _ in range(2)]
            answer = translate(client, "file:plain", picture(8, 8))
            problem(answer, 503, "busy")
            assert int(answer.headers["retry-after"]) >= 1
            futures[0].cancel()
            futures.append(pool.submit(path, lambda model: None))
        assert translate(client, "file:plain", picture(8, 8)).status_code == 200
        assert 'ganvas_drawings_dropped_total{reason="busy"} 1' in client.get("/metrics").text


def test_models_are_unloaded_when_nobody_draws(runs: Path) -> None:
    pool = Pool(Limits(idle_seconds=0.05), Telemetry())
    kept = pool.submit(runs / "plain.safetensors", weakref.ref).result(20)
    until(lambda: pool.loaded == 0)
    until(lambda: gc.collect() is not None and kept() is None)
    assert pool.submit(runs / "plain.safetensors", lambda model: model.name).result(20) == "plain"
    pool.close()


def test_what_drawings_free_goes_back_to_the_system(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("ganvas.studio.workers.give_back", lambda: given.append("back"))
    path = runs / "plain.safetensors"
    for seconds, times in ((1_000, 0), (0, 3)):
        monkeypatch.setattr("ganvas.studio.workers.GIVE_BACK_SECONDS", seconds)
        pool = Pool(Limits(), Telemetry())
        for _ in range(3):
            pool.submit(path, lambda model: None).result(20)
        pool.close()
        assert len(given) == times


def test_the_model_idle_longest_makes_room_and_one_at_work_never_does(runs: Path) -> None:
    pool = Pool(Limits(models=2), Telemetry())
    paths = [runs / f"{name}.safetensors" for name in ("plain", "map", "street")]
    loaded = {path: pool.submit(path, weakref.ref).result(20) for path in paths[:2]}
    pool.warm(paths[0]).result(20)
    loaded[paths[2]] = pool.submit(paths[2], weakref.ref).result(20)
    until(lambda: gc.collect() is not None and loaded[paths[1]]() is None)
    assert loaded[paths[0]]() is not None
    with Held(pool, paths[0]):
        futures = [pool.submit(paths[2], lambda model: None)]  # at work too, as it waits for its turn
        with pytest.raises(ProblemError, match="no more may be loaded"):
            pool.submit(paths[1], lambda model: None)
    futures[0].result(20)
    pool.close()


def test_a_model_that_training_replaced_is_loaded_anew(tmp_path: Path) -> None:
    path = make_model(tmp_path / "run" / "model.safetensors")
    pool = Pool(Limits(), Telemetry())
    assert pool.submit(path, lambda model: model.header.images_seen).result(20) == 1000
    make_model(path, images_seen=2000)
    assert pool.submit(path, lambda model: model.header.images_seen).result(20) == 2000
    pool.close()


def test_turns_are_given_in_the_order_of_asking(runs: Path) -> None:
    pool, order = Pool(Limits(), Telemetry()), []
    paths = [runs / f"{name}.safetensors" for name in ("plain", "map", "street")]
    for path in paths:
        pool.warm(path).result(20)
    with Held(pool, paths[0]):
        futures = []
        for number, path in enumerate((paths[1], paths[2])):
            futures.append(pool.submit(path, lambda model, n=number: order.append(n)))  # type: ignore[misc]
            until(lambda n=number: len(pool._turns._gates) == n + 1)  # type: ignore[misc]
        # Comes back for more while the others wait.
        futures.append(pool.submit(paths[0], lambda model: order.append(2)))
    for future in futures:
        future.result(20)
    assert order == [0, 1, 2]
    pool.close()


def test_no_thread_draws_on_when_the_studio_has_ended(runs: Path) -> None:
    pool = Pool(Limits(models=1), Telemetry())
    for name in ("plain", "map"):
        pool.warm(runs / f"{name}.safetensors").result(20)
        # Its thread says that it is idle a moment after the answer is there.
        until(lambda: not any(worker.at_work for worker in pool._workers.values()))
    begun, ended = threading.Event(), []

    def work(model: Model) -> None:
        begun.set()
        time.sleep(0.1)
        ended.append(model.name)

    pool.submit(runs / "map.safetensors", work)
    waiting = pool.submit(runs / "map.safetensors", lambda model: ended.append("more"))
    assert begun.wait(20)
    pool.close()
    assert ended == ["map"]
    assert waiting.cancelled()
    assert not [thread for thread in threading.enumerate() if thread in pool._threads]
    with pytest.raises(ProblemError, match="being closed"):
        pool.warm(runs / "plain.safetensors")


def test_warming_loads_the_model_before_it_is_needed(runs: Path) -> None:
    with studio(runs, warm="file:plain") as client:
        until(lambda: client.state.pool.loaded == 1)
        assert client.post("/api/models/run:mine/warm").status_code == 202
        until(lambda: client.state.pool.loaded == 2)
        problem(client.post("/api/models/nobody/warm"), 404, "not-found")


# Operation


def test_figures_count_what_happened(runs: Path) -> None:
    with studio(runs) as client:
        translate(client, "file:plain", picture(8, 8))
        translate(client, "file:plain", picture(8, 8))
        client.get("/api/models/../../etc/passwd")
        text = client.get("/metrics").text
    route = "/api/models/{name}/translate"
    assert f'ganvas_requests_total{{method="POST",route="{route}",status="200"}} 2\n' in text
    assert f'ganvas_request_seconds_bucket{{route="{route}",le="+Inf"}} 2\n' in text
    assert f'ganvas_request_seconds_count{{route="{route}"}} 2\n' in text
    assert 'ganvas_drawings_total{model="plain"} 2\n' in text
    assert "ganvas_models_loaded 1\n" in text
    assert "ganvas_drawings_waiting 0\n" in text
    assert "passwd" not in text, "labels have few values"


def test_figures_are_in_the_format_of_prometheus(client: Studio) -> None:
    """By the grammar of the text format, https://prometheus.io/docs/instrumenting/exposition_formats/ ."""
    import re

    sample = re.compile(r'[a-z_]+(\{[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="([^"\\\n]|\\[\\"n])*")*\})? [0-9.e+-]+')
    lines = client.get("/metrics").text.split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))", line) or sample.fullmatch(
            line
        ), line
