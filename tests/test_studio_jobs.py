"""Many pictures at once: all of them, under their names, and nothing left behind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.api import load
from ganvas.data.preparation import Preparation
from ganvas.studio.jobs import stored_name
from ganvas.studio.settings import Limits
from studio_help import NO_REASON, Studio, events, png, problem, studio, until
from test_translate import PALETTE, make_model, picture, pixels


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_model(folder / "plain.safetensors")
    make_model(folder / "classes.safetensors", class_names=("day", "night"))
    return folder


@pytest.fixture(scope="module")
def client(runs: Path) -> Iterator[Studio]:
    with studio(runs) as client:
        yield client


def jpeg(image: Image.Image) -> bytes:
    """As cameras write it, with a second, smaller picture inside."""
    buffer = io.BytesIO()
    image.save(buffer, "MPO", save_all=True, append_images=[image.reduce(2)])
    return buffer.getvalue()


def start(client: Studio, *files: tuple[str, bytes], name: str = "file:plain", **form: str) -> Any:
    return client.post(f"/api/models/{name}/files", files=[("files", file) for file in files], data=form)


def finished(client: Studio, id: str) -> Any:
    return until(lambda: (now := client.get(f"/api/jobs/{id}").json())["state"] != "running" and now)


def unpacked(client: Studio, id: str) -> dict[str, bytes]:
    answer = client.get(f"/api/jobs/{id}/result.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_twenty_files_come_back_translated_under_their_names(client: Studio, runs: Path) -> None:
    pictures = {f"{number}.png": picture(20 + number, 30, number) for number in range(20)}
    answer = start(client, *((name, png(image)) for name, image in pictures.items()))
    assert answer.status_code == 202
    told = answer.json()
    assert (told["total"], told["failed"]) == (20, [])
    with client.stream("GET", f"/api/jobs/{told['id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        heard = list(events(stream.iter_lines()))
    done = [progress["done"] for _, progress in heard]
    assert done == sorted(done)
    assert heard[-1] == (
        "done",
        {"id": told["id"], "state": "done", "done": 20, "total": 20, "failed": [], "message": "", **NO_REASON},
    )
    assert {name for name, _ in heard[:-1]} <= {"progress"}
    found, model = unpacked(client, told["id"]), load(runs / "plain.safetensors")
    assert set(found) == set(pictures)
    for name, image in pictures.items():
        assert np.array_equal(pixels(Image.open(io.BytesIO(found[name]))), pixels(model.translate(image))), name


def test_what_cannot_be_translated_is_told_and_the_rest_goes_on(client: Studio) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cut = png(Image.fromarray(noise))[:3000]
    files = [("text.png", b"text"), ("cut.png", cut), ("good.jpg", jpeg(picture(20, 20)))]
    id = start(client, *files).json()["id"]
    now = finished(client, id)
    assert (now["state"], now["done"], now["total"]) == ("done", 3, 3)
    assert [failed["name"] for failed in now["failed"]] == ["text.png", "cut.png"]
    assert "is no picture" in now["failed"][0]["reason"]
    assert now["failed"][1]["reason"].startswith("cannot read picture 'cut.png'")
    assert [failed["code"] for failed in now["failed"]] == ["not-a-picture", "damaged-picture"]
    assert list(unpacked(client, id)) == ["good.jpg"]


def test_photos_where_the_model_takes_label_maps_are_told_by_their_code(runs: Path) -> None:
    make_model(runs / "map.safetensors", source=Preparation(kind="labels", channels=1, **PALETTE))
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    with studio(runs) as client:
        id = start(client, ("photo.png", png(Image.fromarray(noise))), name="file:map").json()["id"]
        (failed,) = finished(client, id)["failed"]
    assert failed["code"] == "photo-as-map"
    assert f"{failed['parameters']['percent']}% of its pixels" in failed["reason"]


def test_files_that_are_all_no_pictures_are_refused(client: Studio) -> None:
    problem(start(client, ("a.png", b"text"), ("b.png", b"more")), 415, "not-a-picture")
    assert client.post("/api/models/file:plain/files").status_code == 422


@pytest.mark.parametrize(
    ("name", "form", "said", "code"),
    [
        ("file:plain", {"label": "day"}, "takes no label", "takes-no-label"),
        ("file:classes", {}, "draws for a class", "label-needed"),
        ("file:classes", {"label": "dusk"}, "no class 'dusk'", "no-class"),
        ("digits-cgan", {}, "without a picture", "draws-without-picture"),
    ],
)
def test_what_the_model_cannot_do_is_told_at_once(
    client: Studio, name: str, form: dict[str, str], said: str, code: str
) -> None:
    answer = start(client, ("a.png", png(picture(9, 9))), name=name, **form)
    assert said in problem(answer, 422, "invalid", code)


def test_a_class_reaches_the_model(client: Studio, runs: Path) -> None:
    image, model = picture(32, 32), load(runs / "classes.safetensors")
    id = start(client, ("a.png", png(image)), name="file:classes", label="night").json()["id"]
    finished(client, id)
    found = pixels(Image.open(io.BytesIO(unpacked(client, id)["a.png"])))
    assert np.array_equal(found, pixels(model.translate(image, label="night")))
    assert not np.array_equal(found, pixels(model.translate(image, label="day")))


@pytest.mark.parametrize(
    ("given", "ending", "taken", "stored"),
    [
        ("cat.png", ".png", [], "cat.png"),
        ("cat.JPEG", ".jpg", [], "cat.JPEG"),
        ("cat.txt", ".png", [], "cat.txt.png"),
        ("../../etc/passwd", ".png", [], "passwd.png"),
        ("C:\\pictures\\cat.png", ".png", [], "cat.png"),
        ("..", ".png", [], "picture.png"),
        ("", ".png", [], "picture.png"),
        (".hidden.png", ".png", [], "hidden.png"),
        ("a\x00\n<b>.png", ".png", [], "a___b_.png"),
        ("고양이.png", ".png", [], "고양이.png"),
        ("cat.png", ".png", ["cat.png", "cat-2.png"], "cat-3.png"),
        ("CAT.png", ".png", ["cat.png"], "CAT-2.png"),
        ("x" * 300 + ".png", ".png", [], "x" * 96 + ".png"),
        ("가" * 99 + ".png", ".png", [], "가" * 65 + ".png"),  # three bytes each
        ("\u1112\u1161\u11ab.png", ".png", [], "한.png"),
    ],
)
def test_names_stay_names(given: str, ending: str, taken: list[str], stored: str) -> None:
    assert stored_name(given, ending, dict.fromkeys(taken, "")) == stored


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_names_as_long_as_a_folder_takes_leave_room_for_results(client: Studio, ending: str) -> None:
    file = io.BytesIO()
    picture(9, 9).save(file, ending)
    id = start(client, *[(f"{'한' * 100}.{ending}", file.getvalue())] * 2).json()["id"]
    now = finished(client, id)
    assert (now["state"], now["failed"]) == ("done", [])
    assert len(unpacked(client, id)) == 2


def test_crooked_names_write_nowhere_else(client: Studio) -> None:
    image = png(picture(9, 9))
    id = start(client, ("../../out.png", image), ("/tmp/out.png", image), ("out.png", image)).json()["id"]
    finished(client, id)
    assert sorted(unpacked(client, id)) == ["out-2.png", "out-3.png", "out.png"]


def test_jobs_end_expire_and_leave_nothing_behind(runs: Path) -> None:
    image = ("a.png", png(picture(9, 9)))
    with studio(runs, limits=Limits(jobs=2, job_seconds=0.2)) as client:
        jobs = client.state.jobs
        ids = [start(client, image).json()["id"] for _ in range(2)]
        root = jobs.find(ids[0]).folder.parent
        assert int(start(client, image).headers["retry-after"]) >= 1
        finished(client, ids[0])
        assert client.delete(f"/api/jobs/{ids[0]}").status_code == 204
        problem(client.get(f"/api/jobs/{ids[0]}"), 404, "not-found")
        assert not (root / ids[0]).exists()
        until(lambda: client.get(f"/api/jobs/{ids[1]}").status_code == 404)
        assert list(root.iterdir()) == []
        last = start(client, image).json()["id"]
        problem(client.get(f"/api/jobs/{'0' * 32}"), 404, "not-found")
        assert client.get("/api/jobs/..%2f..%2fetc").status_code in (404, 422)
    until(lambda: not root.exists())
    assert last


def test_a_job_that_is_deleted_stops_and_one_unfinished_has_no_result(client: Studio) -> None:
    files = [(f"{number}.png", png(picture(300, 300, number))) for number in range(40)]
    id = start(client, *files).json()["id"]
    job = client.state.jobs.find(id)
    problem(client.get(f"/api/jobs/{id}/result.zip"), 409, "conflict")
    assert client.delete(f"/api/jobs/{id}").status_code == 204
    until(lambda: job.ended is not None)
    assert job.done < 40
    until(lambda: not job.folder.exists())


def test_too_many_and_too_large_files_are_refused(runs: Path) -> None:
    image = png(picture(9, 9))
    with studio(runs, limits=Limits(picture_bytes=len(image), picture_pixels=100)) as client:
        large = ("large.png", png(picture(11, 10)))
        problem(start(client, large), 413, "too-large")
        now = finished(client, start(client, large, ("a.png", image)).json()["id"])
        assert [failed["name"] for failed in now["failed"]] == ["large.png"]
        wide = ("wide.png", png(Image.new("L", (11, 10))))
        (failed,) = finished(client, start(client, wide, ("a.png", image)).json()["id"])["failed"]
        assert (failed["name"], failed["code"]) == ("wide.png", "picture-pixels")
        assert (failed["parameters"]["width"], failed["parameters"]["height"]) == (11, 10)
        answer = start(client, *[("a.png", image)] * 201)
        assert "201 pictures, at most 200" in problem(answer, 413, "too-large", "files-many")
