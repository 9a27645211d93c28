"""Digits that are typed, the walk between two noises and the grid."""

from __future__ import annotations

import re

import torch

from e2e.visiting import Visit, eventually


def test_digits_that_are_typed_appear_and_can_be_read(visit: Visit) -> None:
    from ganvas.metrics.digit_classifier import load_digit_classifier

    visit.go("digits")
    visit.choose("digits-conv")
    visit.page.get_by_label("Type here").fill("")
    for key in "2026":
        visit.button(key).click()
    row = visit.page.get_by_role("list", name=re.compile("Drawn")).get_by_role("img")
    eventually(lambda: [one.get_attribute("alt") for one in row.all()] == list("2026"))
    shown = [
        one.evaluate(
            """async i => { await i.decode(); const c = document.createElement('canvas'); c.width = c.height = 28;
            const t = c.getContext('2d'); t.drawImage(i, 0, 0); return [...t.getImageData(0, 0, 28, 28).data] }"""
        )
        for one in row.all()
    ]
    digits = torch.tensor(shown, dtype=torch.float32).reshape(4, 28, 28, 4)[..., 0]
    logits, _ = load_digit_classifier().logits_and_features(digits[:, None] / 127.5 - 1)
    assert logits.argmax(1).tolist() == [2, 0, 2, 6]
    assert not torch.equal(digits[0], digits[2]), "each is drawn from noise of its own"
    visit.button("Another").click()
    eventually(lambda: "Seed 2" in (visit.page.text_content("main") or ""))
