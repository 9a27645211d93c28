/** Words in the language of the reader. */

import type { Reason, RecipeName } from "./backend";
import type { Field } from "./schema";
import { en } from "./words/en";
import { ko } from "./words/ko";
import serverKo from "./words/server.ko.json";

export type Word = keyof typeof en;
/** A dictionary: a word missing or too many is an error of types. */
export type Words = Record<Word, string>;
export type Language = "en" | "ko";
export type Gaps = Record<string, string | number>;

export const DICTIONARIES: Record<Language, Words> = { en, ko };

export function inWords(language: Language, word: Word, gaps: Gaps = {}): string {
  return filled(DICTIONARIES[language][word], gaps);
}

function filled(text: string, gaps: Gaps): string {
  return text.replaceAll(/\{(\w+)\}/g, (gap, name: string) => String(gaps[name] ?? gap));
}

/** What the server says in English, said by name: its reasons by code, its recipes, the settings of its forms. */
export interface ServerWords {
  reasons: Record<string, string>;
  recipes: Record<string, string>;
  settings: Record<string, { title?: string; help: string }>;
}

/** English is the server's own. */
const SERVER: Partial<Record<Language, ServerWords>> = { ko: serverKo };

/** A reason of the server's in words; its own where the code is not known, as of a server that is newer than the page. */
export function reasonIn(language: Language, said: string, { code = "", parameters = {} }: Partial<Reason>): string {
  const known = SERVER[language]?.reasons[code];
  if (known === undefined) return said;
  const gaps = Object.entries(parameters).map(([name, value]) => [
    name,
    typeof value === "number" ? value.toLocaleString(language) : value,
  ]);
  return filled(known, Object.fromEntries(gaps) as Gaps);
}

/** What a recipe is for. */
export function recipeIn(language: Language, { name, description }: RecipeName): string {
  return SERVER[language]?.recipes[name] ?? description;
}

/** A setting's name, and what it does. */
export function settingIn(language: Language, { path, title, description }: Field): { title: string; help: string } {
  return { title, help: description.replaceAll("``", ""), ...SERVER[language]?.settings[path] };
}

/** The first of a reader's languages that there is a dictionary for. */
export function languageOf(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const language = tag.slice(0, 2).toLowerCase();
    if (language === "en" || language === "ko") return language;
  }
  return "en";
}
