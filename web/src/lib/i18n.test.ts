import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DICTIONARIES, inWords, languageOf, reasonIn, recipeIn, settingIn, type ServerWords, type Word } from "./i18n";
import { FIRST, type Field } from "./schema";
import serverKo from "./words/server.ko.json";

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

test("a reason of the server's is told by its code in the reader's language, numbers as they are written there", () => {
  const reason = { code: "picture-side", parameters: { picture: "the picture", width: 9000, height: 20, most: 8192 } };
  expect(reasonIn("en", "too long", reason)).toBe("too long");
  const korean = reasonIn("ko", "too long", reason);
  expect(korean).toContain("9,000 × 20");
  expect(korean).toContain("8,192픽셀");
  expect(korean).not.toMatch(/[{}]/);
});

test("what has no words in the reader's language is told in the server's", () => {
  expect(reasonIn("ko", "the disk is full", {})).toBe("the disk is full");
  expect(reasonIn("ko", "something new", { code: "of-next-year", parameters: { a: 1 } })).toBe("something new");
  expect(recipeIn("ko", { name: "own", description: "My recipe.", task: "label" })).toBe("My recipe.");
  const field: Field = { path: "train.newest", group: "train", title: "newest", description: "``a`` b", kind: "text", choices: [], value: "" };
  expect(settingIn("ko", field)).toEqual({ title: "newest", help: "a b" });
});

test("recipes and settings are told in the reader's language", () => {
  const recipe = { name: "sketch2color", description: "From sketch to colour.", task: "translate" };
  expect(recipeIn("en", recipe)).toBe(recipe.description);
  expect(recipeIn("ko", recipe)).toBe(serverKo.recipes.sketch2color);
  const field: Field = { path: "data.size", group: "data", title: "size", description: "side", kind: "whole", choices: [], value: 128 };
  expect(settingIn("en", field)).toEqual({ title: "size", help: "side" });
  expect(settingIn("ko", field)).toEqual(serverKo.settings["data.size"]);
});

test("what a person sets first has a name and a help in Korean", () => {
  const { settings }: ServerWords = serverKo;
  for (const path of FIRST) expect(settings[path], path).toEqual({ title: expect.any(String), help: expect.any(String) });
});

test("the reader's first known language wins", () => {
  expect(languageOf(["fr-FR", "ko-KR", "en"])).toBe("ko");
  expect(languageOf(["de"])).toBe("en");
});
