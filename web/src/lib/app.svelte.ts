/** What all views share: language, colours, models, messages. */

import { BackendError, type Backend, type ModelInfo, type Reason } from "./backend";
import { BrowserBackend } from "./browser/backend";
import { HttpBackend } from "./http";
import { inWords, languageOf, reasonIn, type Gaps, type Language, type Word } from "./i18n";

export type Theme = "auto" | "light" | "dark";
const THEMES: readonly Theme[] = ["auto", "light", "dark"];

/** An exported page says where its models are listed; a page without such a word has a server behind it. */
const manifest = document.querySelector<HTMLMetaElement>('meta[name="ganvas-models"]')?.content;
export const backend: Backend =
  manifest === undefined ? new HttpBackend() : new BrowserBackend(new URL(manifest, document.baseURI));
/** Of this open page: its canvases are told apart by what follows. */
export const pageId: string = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("");

class App {
  language = $state<Language>(remembered("language", ["en", "ko"]) ?? languageOf(navigator.languages));
  theme = $state<Theme>(remembered("theme", THEMES) ?? "auto");
  models = $state.raw<ModelInfo[]>([]);
  loading = $state(true);
  unreachable = $state(false);
  message = $state<{ text: string; bad: boolean } | null>(null);
  /** Share of the models' files that is here, while they are fetched. */
  fetched = $state<number | null>(null);
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    backend.watchFetching?.((share) => (this.fetched = share));
  }

  /** What to say when nobody answers. */
  get unreachableText(): string {
    return t(backend.place === "server" ? "failure.unreachable" : "failure.missing");
  }

  async load(): Promise<void> {
    this.loading = true;
    try {
      this.models = await backend.models();
      this.unreachable = false;
    } catch (error) {
      this.unreachable = this.models.length === 0;
      this.fail(error);
    } finally {
      this.loading = false;
    }
  }

  setLanguage(language: Language): void {
    this.language = language;
    remember("language", language);
  }

  nextTheme(): void {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length]!;
    remember("theme", this.theme);
  }

  tell(text: string, bad = false): void {
    clearTimeout(this.timer);
    this.message = { text, bad };
    this.timer = setTimeout(() => (this.message = null), bad ? 12_000 : 4_000);
  }

  hush(): void {
    this.message = null;
  }

  /** Tells what went wrong; that a newer request took the place of one is nothing wrong. */
  fail(error: unknown): void {
    if (error instanceof BackendError) {
      if (error.kind === "superseded") return;
      if (error.kind === "unreachable") return this.tell(this.unreachableText, true);
      return this.tell(said(error.message, error.reason), true);
    }
    this.tell(error instanceof Error ? error.message : String(error), true);
  }
}

export const app = new App();

export function t(word: Word, gaps?: Gaps): string {
  return inWords(app.language, word, gaps);
}

/** What the server says, in the reader's words where there are any. */
export function said(text: string, reason: Partial<Reason>): string {
  return reasonIn(app.language, text, reason);
}

/** A number as the reader's language writes it. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString(app.language, { maximumFractionDigits: digits });
}

function remembered<T extends string>(key: string, known: readonly T[]): T | undefined {
  try {
    const value = localStorage.getItem(`ganvas.${key}`);
    return known.find((candidate) => candidate === value);
  } catch {
    return undefined; // storage is forbidden: nothing is remembered
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`ganvas.${key}`, value);
  } catch {
    // as above
  }
}
