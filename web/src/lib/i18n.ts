/** Words in the language of the reader. */

import { en } from "./words/en";
import { ko } from "./words/ko";

export type Word = keyof typeof en;
/** A dictionary: a word missing or too many is an error of types. */
export type Words = Record<Word, string>;
export type Language = "en" | "ko";
export type Gaps = Record<string, string | number>;

export const DICTIONARIES: Record<Language, Words> = { en, ko };

export function inWords(language: Language, word: Word, gaps: Gaps = {}): string {
  return DICTIONARIES[language][word].replaceAll(/\{(\w+)\}/g, (gap, name: string) => String(gaps[name] ?? gap));
}

/** The first of a reader's languages that there is a dictionary for. */
export function languageOf(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const language = tag.slice(0, 2).toLowerCase();
    if (language === "en" || language === "ko") return language;
  }
  return "en";
}
