import { expect, test } from "vitest";
import type { Pixels } from "../png";
import type { Filter } from "./manifest";
import pillow from "./pillow.fixture.json";
import { resized } from "./resample";

const picture: Pixels = { width: pillow.width, height: pillow.height, channels: 3, data: Uint8Array.from(pillow.data) };

test.each(pillow.resized as [Filter, number, number, number[]][])("%s to %i x %i is what Pillow makes of it", (filter, height, width, data) => {
  expect([...resized(picture, height, width, filter).data]).toEqual(data);
});

test("a picture of that size comes back as it is", () => {
  expect(resized(picture, picture.height, picture.width, "lanczos")).toBe(picture);
});
