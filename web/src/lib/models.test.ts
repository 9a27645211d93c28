import { expect, test } from "vitest";
import type { ModelInfo, Training } from "./backend";
import { labelsIn, viewsFor } from "./models";
import { VIEWS } from "./router";

const digits = Array.from({ length: 10 }, (_, digit) => String(digit));

test("what is typed becomes its digits, the rest is passed over", () => {
  expect(labelsIn("2026", digits)).toEqual(["2", "0", "2", "6"]);
  expect(labelsIn(" 2-0a ", digits)).toEqual(["2", "0"]);
});

test("classes with names are found by their words", () => {
  expect(labelsIn("Coat bag 3", ["coat", "Bag"])).toEqual(["coat", "Bag"]);
});

test("no more than one request holds", () => {
  expect(labelsIn("1".repeat(100), digits)).toHaveLength(64);
});

test("an exported page has no view that it has no model for, a studio has them all", () => {
  const sketch = { task: "translate", source: { kind: "picture", channels: 1, classes: [] }, hints: true } as unknown as ModelInfo;
  const digitsModel = { task: "label", source: null, class_names: digits } as unknown as ModelInfo;
  expect(viewsFor({ place: "browser" }, [sketch])).toEqual(["sketch", "files"]);
  expect(viewsFor({ place: "browser" }, [sketch, sketch, digitsModel])).toEqual(["sketch", "digits", "files", "compare"]);
  expect(viewsFor({ place: "browser" }, [digitsModel])).toEqual(["digits"]);
  expect(viewsFor({ place: "server", training: {} as Training }, [])).toEqual(VIEWS);
});
