import { expect, test } from "vitest";
import { addressOf, routeOf, VIEWS } from "./router";

test("an address leads back to the view and the run that it was made of", () => {
  for (const view of VIEWS) expect(routeOf(addressOf(view))).toEqual({ view, rest: "" });
  expect(routeOf(addressOf("training", "a b/c%"))).toEqual({ view: "training", rest: "a b/c%" });
});

test("an address that nobody made leads to the sketch", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "nonsense"]) expect(routeOf(hash).view).toBe("sketch");
  expect(routeOf("#/training/%E0%A4%A").rest).toBe("%E0%A4%A");
});
