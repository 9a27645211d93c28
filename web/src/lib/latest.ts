/** One piece of work at a time, and after it only the newest state: what came between is never sent. */

export class Latest {
  private running = false;
  private wanted = false;
  private stopped = false;

  /** @param work Reads the state when it starts, not when it was asked for. It deals with its own errors. */
  constructor(private readonly work: () => Promise<void>) {}

  /** Say that the state has changed. */
  poke(): void {
    this.wanted = true;
    if (!this.running) void this.run();
  }

  /** Nothing starts after it. */
  stop(): void {
    this.stopped = true;
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.wanted && !this.stopped) {
      this.wanted = false;
      await this.work();
    }
    this.running = false;
  }
}

/** Whether two requests ask for the same; files are compared as objects. */
export function alike<T extends object>(one: T, other: T): boolean {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof T>;
  return [...keys].every((key) => one[key] === other[key]);
}
