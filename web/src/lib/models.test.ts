import { expect, test } from "vitest";
import { labelsIn } from "./models";

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
