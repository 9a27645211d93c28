import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DICTIONARIES, inWords, languageOf, type Word } from "./i18n";

const { en, ko } = DICTIONARIES;
const words = Object.keys(en) as Word[];

test("every word is in every language, with the same gaps, and none is empty", () => {
  expect(Object.keys(ko).toSorted()).toEqual(words.toSorted());
  const gaps = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).toSorted();
  for (const word of words) {
    expect(ko[word].trim(), word).not.toBe("");
    expect(gaps(ko[word]), word).toEqual(gaps(en[word]));
  }
});

test("Korean is Korean: no sentence was left untranslated", () => {
  const alike = words.filter((word) => en[word] === ko[word]);
  expect(alike).toEqual(["sheet.took"]);
  const without = words.filter((word) => !/[가-힣]/.test(ko[word]));
  expect(without).toEqual(["app.language", "sheet.took"]);
});

test("every word in the dictionary is used on the page", () => {
  const source = ["..", "../views", "../parts", "."]
    .map((folder) => new URL(`${folder}/`, import.meta.url))
    .flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)))
    .filter(({ pathname }) => /\.(svelte|ts)$/.test(pathname) && !pathname.endsWith(".test.ts"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  // Those of which the end is put in: a view, a theme, a group, a state, a tool.
  const built = /^(nav|app\.theme|group|training\.state|tool|training\.bad)\./;
  const unused = words.filter((word) => !new RegExp(`["']${word.replaceAll(".", "\\.")}["']`).test(source) && !built.test(word));
  expect(unused).toEqual([]);
});

test("gaps are filled, and one without a value stays to be seen", () => {
  expect(inWords("en", "files.progress", { done: 3, total: 20 })).toBe("3 of 20");
  expect(inWords("ko", "files.progress", { done: 3, total: 20 })).toBe("20장 중 3장");
  expect(inWords("en", "files.progress", { done: 3 })).toBe("3 of {total}");
});

test("the reader's first known language wins", () => {
  expect(languageOf(["fr-FR", "ko-KR", "en"])).toBe("ko");
  expect(languageOf(["de"])).toBe("en");
});
