/** What the page asks of whatever runs the models: a server, or the browser itself. Nothing here knows of either. */

/** Why something was refused, for who has words of their own for it. */
export interface Reason {
  /** Empty where only the message knows. */
  code: string;
  /** What the reason is about, by name. */
  parameters: Record<string, string | number>;
}

export interface ClassOfMap {
  id: number;
  name: string;
  /** `#rrggbb` */
  colour: string;
}

export interface Source {
  kind: "picture" | "labels";
  channels: number;
  classes: ClassOfMap[];
}

export interface ModelInfo {
  name: string;
  title: string;
  description: string;
  task: "translate" | "label";
  /** Side of the training pictures in pixels. */
  size: number;
  /** Of the result. */
  channels: number;
  hints: boolean;
  /** Whether the same drawing can be answered in other ways. */
  variations: boolean;
  class_names: string[];
  source: Source | null;
  origin: "shipped" | "run" | "file";
  licence: string;
  examples: number;
}

export interface TranslateRequest {
  model: string;
  picture: Blob;
  /** Transparent but for the dabs, of the picture's size. */
  hints?: Blob;
  label?: string;
  /** Another answer for each number, where the model has `variations`; without one always the same. */
  variation?: number;
  /** Which canvas asks: a newer request of the same one replaces an older one that has not begun. */
  page: string;
}

export type Runner = "WASM" | "WebGPU";

export interface Translation {
  picture: Blob;
  /** That the model took, without the way there and back. */
  milliseconds: number;
  /** What ran the model, where the browser did. */
  by?: Runner;
}

export interface SampleRequest {
  model: string;
  labels: (string | number)[];
  seed: number;
  /** One picture for each step of the way from the noise of `seed` to that of this seed, of `labels[0]`. */
  between?: { seed: number; steps: number };
  /** The same noise for every label. */
  same_noise?: boolean;
  /** As of `TranslateRequest`; without one nothing is replaced. */
  page?: string;
}

export interface Sample {
  label: string;
  picture: Blob;
}

export interface FailedFile extends Partial<Reason> {
  name: string;
  /** In English, where the code is not known. */
  reason: string;
}

export interface FilesProgress {
  done: number;
  total: number;
  failed: FailedFile[];
}

export interface RecipeName {
  name: string;
  description: string;
  task: string;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface RecipeForm {
  recipe: { [key: string]: Json };
  schema: { [key: string]: Json };
}

export interface RunInfo extends Partial<Reason> {
  name: string;
  recipe: string;
  state: "running" | "stopped" | "complete" | "failed";
  images: number;
  /** Not known before a run has begun to count. */
  total_images: number | null;
  images_per_second: number | null;
  message: string;
}

export interface StatsRecord {
  images: number;
  losses: Record<string, number | null>;
  metrics?: Record<string, number | null>;
  accuracy_real?: number | null;
  accuracy_fake?: number | null;
}

export interface RunDetail extends RunInfo {
  stats: StatsRecord[];
  /** Numbers of images seen at which there is a picture of the fixed samples. */
  samples: number[];
}

export interface RunEvents {
  /** All that is known of it: at first, and whenever something may have been missed. */
  whole(run: RunDetail): void;
  stats(record: StatsRecord): void;
  sample(images: number): void;
  state(run: RunInfo): void;
  /** It could not be asked for. */
  failed(error: unknown): void;
}

export interface Watch {
  /** Looks anew: a run that had ended goes on. */
  again(): void;
  stop(): void;
}

export interface NewRun {
  name: string;
  recipe: string;
  settings: Record<string, Json>;
  data?: string;
}

export interface Training {
  recipes(): Promise<RecipeName[]>;
  recipe(name: string): Promise<RecipeForm>;
  runs(): Promise<RunInfo[]>;
  run(name: string): Promise<RunDetail>;
  start(run: NewRun): Promise<RunInfo>;
  stop(name: string): Promise<RunInfo>;
  resume(name: string): Promise<RunInfo>;
  samples(name: string, images: number): Promise<Blob>;
  /** Tells of a run and what happens in it, while it goes on and the page is seen. */
  watch(name: string, events: RunEvents): Watch;
}

export interface Backend {
  /** What runs the models. */
  readonly place: "server" | "browser";
  models(): Promise<ModelInfo[]>;
  /** A drawing to start from, 0 <= index < `examples`. */
  example(model: string, index: number): Promise<Blob>;
  translate(request: TranslateRequest): Promise<Translation>;
  sample(request: SampleRequest): Promise<Sample[]>;
  /** Translates files and gives them back as a ZIP; `signal` calls it off. `label` where the model takes a class. */
  translateFiles(
    model: string,
    files: File[],
    label: string | undefined,
    onProgress: (progress: FilesProgress) => void,
    signal: AbortSignal,
  ): Promise<Blob>;
  /** Says that a model will be drawn with soon; absent where it makes no difference. */
  warm?(model: string): void;
  /** Tells how much of the models has been fetched, 0 to 1, and null when all has; absent where nothing is fetched. */
  watchFetching?(tell: (share: number | null) => void): void;
  /** Absent where nothing can be trained. */
  training?: Training;
}

/** `superseded`: a newer request took its place; `busy`: ask again later; `refused`: asking again won't help;
 *  `unreachable`: nobody answers. */
export type FailureKind = "superseded" | "busy" | "refused" | "unreachable";

export class BackendError extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    /** Seconds, of `busy`. */
    readonly retryAfter = 1,
    readonly reason: Partial<Reason> = {},
  ) {
    super(message);
    this.name = "BackendError";
  }
}
