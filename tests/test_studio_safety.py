"""What a page elsewhere, a hostile picture and a crooked path cannot do."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganvas.errors import UsageError
from ganvas.studio import model_routes
from ganvas.studio.guard import CSP
from ganvas.studio.runs import Runs
from ganvas.studio.settings import Limits, Settings, is_loopback
from ganvas.studio.uploads import opened
from studio_help import HERE, Studio, png, problem, studio, until
from test_translate import make_model

TOKEN = "correct-horse-battery_staple"
PAGE = "<!doctype html><title>studio</title>"


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    (folder / "index.html").write_text(PAGE)
    (folder / "assets").mkdir()
    (folder / "assets" / "index-1a2b.js").write_text("draw()")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guarded") / "runs"
    make_model(folder / "plain.safetensors")
    (folder.parent / "outside").mkdir()
    return folder


@pytest.fixture(scope="module")
def client(runs: Path, static: Path) -> Iterator[Studio]:
    with studio(runs, static=static) as client:
        yield client


@pytest.fixture(scope="module")
def locked(runs: Path, static: Path) -> Iterator[Studio]:
    with studio(runs, static=static, host="0.0.0.0", token=TOKEN) as client:
        yield client


# Who may ask


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1:8765", "127.3.2.1", "[::1]:8765"])
def test_names_of_this_machine_are_let_in(client: Studio, host: str) -> None:
    assert client.get("/api/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""]
)
def test_a_name_that_was_made_to_point_here_is_refused(client: Studio, host: str) -> None:
    for path in ("/", "/api/models", "/openapi.json", "/healthz", "/metrics"):
        problem(client.get(path, headers={"host": host}), 403, "forbidden")


ELSEWHERE: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "http://localhost:3000"},
    {"origin": "http://localhost:8765.evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_page_elsewhere_can_neither_read_nor_do_anything(
    client: Studio, locked: Studio, headers: dict[str, str]
) -> None:
    for guarded, token in ((client, {}), (locked, {"authorization": f"Bearer {TOKEN}"})):
        for path in ("/api/models", "/api/runs", "/metrics"):
            problem(guarded.get(path, headers=headers | token), 403, "forbidden")
        body: dict[str, Any] = {"name": "mine", "recipe": "digits-cgan"}
        problem(guarded.post("/api/runs", json=body, headers=headers | token), 403, "forbidden")
        problem(guarded.delete(f"/api/jobs/{'0' * 32}", headers=headers | token), 403, "forbidden")
    assert client.get("/api/runs").json() == []


def test_the_studios_own_page_and_programs_are_let_in(client: Studio) -> None:
    own = {"origin": HERE, "sec-fetch-site": "same-origin"}
    assert client.get("/api/models", headers=own).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}).text == PAGE
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).text == PAGE, "a link elsewhere leads here"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "studio.example", "128.0.0.1"])
def test_other_machines_are_let_in_only_with_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="add --token"):
        Settings(host=host)
    assert Settings(host=host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)
    Settings(host=host)


@pytest.mark.parametrize("token", ["", "short", "fifteen-letters", "with spaces in between", "quote;d-and-more-of-it"])
def test_a_token_that_can_be_guessed_or_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="expected at least 16"):
        Settings(token=token)


def test_without_the_token_nothing_is_told(locked: Studio) -> None:
    for path in ("/", "/assets/index-1a2b.js", "/api/models", "/api/runs", "/openapi.json", "/metrics", "/nothing"):
        answer = locked.get(path)
        problem(answer, 401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong: list[dict[str, str]] = [
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": TOKEN},
        {"authorization": "Bearer "},
        {"cookie": "ganvas-8765=wrong"},
        {"cookie": f"other={TOKEN}"},
        {"cookie": "\x01=;;"},
    ]
    for headers in wrong:
        problem(locked.get("/api/models", headers=headers), 401, "unauthorised")
    problem(locked.get(f"/api/models?token={TOKEN}"), 401, "unauthorised")
    problem(locked.get("/?token=wrong"), 401, "unauthorised")
    assert locked.get("/healthz").status_code == 200


def test_the_token_becomes_a_cookie_and_leaves_the_address(locked: Studio) -> None:
    answer = locked.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    sent = {"cookie": cookie.partition(";")[0]}
    locked.cookies.clear()
    assert locked.get("/", headers=sent).text == PAGE
    others = {"cookie": f'a[b]=c; odd"=;; {sent["cookie"]}; z=1'}
    assert locked.get("/api/models", headers=others).status_code == 200
    assert locked.get("/api/models", headers=sent | {"host": "studio.example"}).status_code == 200
    assert locked.get("/api/models", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_every_answer_has_the_headers_that_browsers_obey(client: Studio, locked: Studio) -> None:
    answers = [
        client.get("/"),
        client.get("/api/models"),
        client.get("/nothing"),
        client.post("/api/models"),
        client.get("/", headers={"host": "evil.example"}),
        locked.get("/"),
    ]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
    policy = dict(part.strip().split(" ", 1) for part in CSP.split(";"))
    assert "unsafe" not in CSP
    assert policy["default-src"] == policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


def test_an_error_nobody_foresaw_is_a_problem_and_tells_nothing(
    client: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(client.state.runs, "all", fail)
    answer = client.get("/api/runs")
    assert "secret" not in problem(answer, 500, "failed")
    assert answer.headers["content-security-policy"] == CSP
    assert "the secret of the house" in caplog.text


# The page


def test_the_page_is_served_and_nothing_beside_it(client: Studio) -> None:
    assert client.get("/").headers["cache-control"] == "no-cache"
    script = client.get("/assets/index-1a2b.js")
    assert script.text == "draw()"
    assert "immutable" in script.headers["cache-control"]
    for path in (
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/api/nothing",
        "/.git/config",
    ):
        problem(client.get(path), 404, "not-found")


def test_a_missing_page_is_told_with_what_makes_it(runs: Path, tmp_path: Path) -> None:
    with studio(runs, static=tmp_path / "nowhere") as client:
        assert "make web" in problem(client.get("/"), 404, "not-found")
        assert client.get("/api/models").status_code == 200


# Pictures


def translate(client: Studio, data: bytes, hints: bytes | None = None) -> Any:
    files = {"picture": ("x.png", data), **({"hints": ("h.png", hints)} if hints else {})}
    return client.post("/api/models/file:plain/translate", files=files)


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than it holds: refused by the header, it is never unpacked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(1 << 16), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(4097, 4096), (10_000, 10_000), (65_535, 65_535), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_they_are_unpacked(
    client: Studio, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = png(Image.new("L", (8, 8)))

    def unpack(*_: object, **__: object) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr(Image.Image, "load", unpack)
    for kind in ("picture", "hints"):
        bombs = (bomb(*size),) if kind == "picture" else (small, bomb(*size))
        assert "16,777,216" in problem(translate(client, *bombs), 413, "too-large")


@pytest.mark.parametrize(("size", "status"), [((1, 33), 422), ((33, 1), 422), ((1, 8192), 422), ((2, 64), 200)])
def test_a_strip_that_would_be_widened_to_many_times_its_size_is_refused(
    client: Studio, size: tuple[int, int], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = png(Image.new("L", size)) if max(size) < 100 else bomb(*size)
    if status == 200:
        assert translate(client, strip).status_code == 200
        return
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("unpacked"))
    told = problem(translate(client, strip), 422, "invalid")
    assert f"{size[0]:,} x {size[1]:,}" in told
    assert "at most 32 times" in told
    monkeypatch.undo()
    files = [("files", ("strip.png", strip)), ("files", ("whole.png", png(Image.new("L", (8, 8)))))]
    job = client.post("/api/models/file:plain/files", files=files).json()
    assert [failed["name"] for failed in job["failed"]] == ["strip.png"]
    # To its end: its thread would meet what the next test puts in the place of Pillow.
    until(lambda: client.get(f"/api/jobs/{job['id']}").json()["state"] != "running")
    client.delete(f"/api/jobs/{job['id']}")


@pytest.mark.parametrize("size", [(8193, 2000), (2000, 8193), (1, 1 << 24)])
def test_a_picture_with_a_side_beyond_the_limit_is_refused_by_its_header(
    client: Studio, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("unpacked"))
    told = problem(translate(client, bomb(*size)), 413, "too-large", "picture-side")
    assert f"{size[0]:,} x {size[1]:,}" in told
    assert "no side may be longer than 8,192" in told


def test_the_longest_side_is_a_setting(runs: Path) -> None:
    with studio(runs, limits=Limits(picture_side=20)) as client:
        problem(translate(client, png(Image.new("L", (21, 9)))), 413, "too-large", "picture-side")
        assert translate(client, png(Image.new("L", (20, 9)))).status_code == 200


def test_a_gif_whose_frame_is_larger_than_it_says_is_refused_too(client: Studio) -> None:
    whole = io.BytesIO()
    Image.new("P", (5000, 5000)).save(whole, "GIF")
    data = bytearray(whole.getvalue())
    data[6:10] = struct.pack("<HH", 1, 1)  # the screen, on which the frame lies
    assert "5,000 x 5,000" in problem(translate(client, bytes(data)), 413, "too-large")


def test_too_many_bytes_are_refused(runs: Path) -> None:
    with studio(runs, limits=Limits(picture_bytes=1000)) as client:
        noise = Image.frombytes("L", (64, 64), os.urandom(64 * 64))
        assert problem(translate(client, png(noise)), 413, "too-large").startswith("the picture has")
        assert translate(client, png(Image.new("L", (64, 64)))).status_code == 200


def test_a_body_beyond_all_limits_is_refused_by_its_announced_length(client: Studio) -> None:
    for path, size in (("/api/models/file:plain/translate", 60 << 20), ("/api/runs", 1 << 17), ("/nothing", 1 << 17)):
        headers = {"content-length": str(size), "content-type": "multipart/form-data; boundary=x"}
        answer = client.post(path, content=b"--x", headers=headers)
        problem(answer, 413, "too-large")
        assert answer.headers["content-security-policy"] == CSP


def test_a_body_without_an_announced_length_is_read_no_further_than_the_limit(client: Studio) -> None:
    pieces = (bytes(1 << 12) for _ in range(1000))
    problem(client.post("/api/runs", content=pieces, headers={"content-type": "application/json"}), 413, "too-large")


def test_headers_are_read_beside_the_event_loop(client: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of as many parts as fit into the limit takes seconds, in which nobody else would be answered."""
    threads = []

    def read(data: bytes, name: str, limits: Limits) -> Image.Image:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        threads.append(name)
        return opened(io.BytesIO(data), name, limits)

    monkeypatch.setattr(model_routes, "read_picture", read)
    image = png(Image.new("RGB", (9, 9)))
    translate(client, image, png(Image.new("RGBA", (9, 9))))
    assert threads == ["the picture", "the hints"]


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"x", SVG, EPS, b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM" + bytes(50), b"RIFF\0\0\0\0WEBPVP8 ", bytes(999)],
)
def test_what_is_no_picture_is_refused_whatever_it_is_called(client: Studio, data: bytes) -> None:
    problem(translate(client, data), 415, "not-a-picture")


def test_kinds_that_are_not_needed_are_never_decoded(client: Studio) -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "TIFF")
    assert "expected PNG" in problem(translate(client, buffer.getvalue()), 415, "not-a-picture")


def test_a_picture_damaged_in_its_middle_is_told_in_one_line(client: Studio) -> None:
    whole = png(Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3)))
    problem(translate(client, whole[: len(whole) // 2]), 422, "invalid")
    problem(translate(client, whole[:2000] + bytes(2000) + whole[4000:]), 422, "invalid")
    assert translate(client, whole).status_code == 200


# Paths

CROOKED = [
    "..",
    "../outside",
    "..%2foutside",
    "%2e%2e",
    "%2e%2f",
    ".studio",
    "a/../../outside",
    "link",
    "%2fetc",
    "x%00y",
    ".%0a",
]


@pytest.mark.parametrize("name", CROOKED)
def test_a_runs_name_never_leads_out_of_the_folder(client: Studio, runs: Path, name: str) -> None:
    outside = runs.parent / "outside"
    (outside / "samples").mkdir(exist_ok=True)
    (outside / "samples" / "0000000000.png").write_bytes(b"secret")
    for part, content in (("recipe.toml", b"name = 'x'"), ("environment.json", b"{}"), ("stats.jsonl", b"")):
        (outside / part).write_bytes(content)
    if not (runs / "link").exists():
        (runs / "link").symlink_to(outside)
    for ending in ("", "/events", "/samples/0.png"):
        answer = client.get(f"/api/runs/{name}{ending}")
        assert answer.status_code in (404, 422)
        assert b"secret" not in answer.content
    for verb in ("stop", "resume"):
        assert client.post(f"/api/runs/{name}/{verb}").status_code in (404, 405, 422)
    assert client.get("/api/runs").json() == []
    before = sorted(runs.parent.rglob("*"))
    wanted = {"name": name, "recipe": "digits-cgan"}
    answer = client.post("/api/runs", json=wanted)
    assert answer.status_code == (409 if name == "link" else 422)
    assert sorted(runs.parent.rglob("*")) == before


def test_a_linked_file_in_a_run_never_leads_out(runs: Path, client: Studio, tmp_path: Path) -> None:
    folder = runs / "own"
    (folder / "samples").mkdir(parents=True)
    (folder / "recipe.toml").write_text("name = 'own'")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "samples" / "0000000007.png").symlink_to(tmp_path / "secret.png")
    (folder / "model.safetensors").symlink_to(make_model(tmp_path / "elsewhere.safetensors"))
    problem(client.get("/api/runs/own/samples/7.png"), 404, "not-found")
    assert "run:own" not in {model["name"] for model in client.get("/api/models").json()}
    for path in folder.rglob("*"):
        path.unlink() if not path.is_dir() else None
    (folder / "samples").rmdir()
    folder.rmdir()


@pytest.mark.parametrize(
    "name", ["../plain", "file:../plain", "run:..", "file:plain.safetensors", "/etc/passwd", "run:"]
)
def test_a_models_name_is_never_a_path(client: Studio, name: str) -> None:
    assert client.post(f"/api/models/{name}/sample", json={}).status_code in (404, 405)


def test_a_recipe_is_never_a_file(client: Studio, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("name = 'own'")
    body = {"name": "mine", "recipe": str(path)}
    assert "no recipe" in problem(client.post("/api/runs", json=body), 422, "invalid")


def test_pickled_models_are_not_even_looked_at(runs: Path, client: Studio) -> None:
    for name in ("evil.pt", "evil.pkl", "evil.onnx"):
        (runs / name).write_bytes(b"\x80\x04cos\nsystem\n")
    assert {model["name"] for model in client.get("/api/models").json() if model["origin"] != "shipped"} == {
        "file:plain"
    }
    for name in ("evil.pt", "evil.pkl", "evil.onnx"):
        (runs / name).unlink()


def test_no_folder_is_made_before_it_is_needed(tmp_path: Path) -> None:
    with studio(tmp_path / "none") as client:
        assert client.get("/api/runs").json() == []
        assert client.get("/api/models").status_code == 200
    assert Runs(tmp_path / "none").all() == []
    assert not (tmp_path / "none").exists()
