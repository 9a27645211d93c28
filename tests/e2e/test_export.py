"""What a page does that has no server behind it."""

from __future__ import annotations

from playwright.sync_api import Browser

from e2e.visiting import Visit, eventually, exported


@exported
def test_an_exported_page_shows_what_it_can_do_and_asks_for_nothing_but_its_files(visit: Visit) -> None:
    visit.go("training")
    views = visit.page.get_by_role("navigation").get_by_role("link")
    eventually(lambda: views.all_inner_texts() == ["Sketch", "Label map", "Digits", "Files", "Compare"])
    assert views.first.get_attribute("aria-current") == "page"
    visit.button("Example 1").click()
    visit.settled()
    assert {request.method for request in visit.requests} == {"GET"}
    assert not [request.url for request in visit.requests if "/api/" in request.url]
    # With no threads and no GPU: one script, one loader, one packed WebAssembly.
    runtime = [request.url.rpartition("/")[2] for request in visit.requests if "/runtime/" in request.url]
    plain = "ort-wasm-simd-threaded"
    assert sorted(runtime) == [f"{plain}.mjs", f"{plain}.wasm.gz", "ort.wasm.min.mjs"]


@exported
def test_a_model_that_does_not_come_is_told_of_and_asked_for_again(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    visit = Visit(context, address)
    context.route("**/*.onnx.gz", lambda route: route.abort())
    visit.go("sketch")
    visit.button("Example 1").click()
    visit.page.get_by_text("A part of this page did not come").wait_for()
    context.unroute("**/*.onnx.gz")
    visit.button("Example 2").click()
    visit.settled()
    context.close()
