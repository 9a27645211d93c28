import { expect, test } from "vitest";
import { span } from "./time";

test.each([
  [0, "1 s"],
  [59.7, "1 min"],
  [61, "1 min 1 s"],
  [7_500, "2 h 5 min"],
  [86_400 * 2 + 5, "2 d"],
])("%d seconds are said as %s", (seconds, said) => {
  expect(span(seconds)).toBe(said);
});
