/** One thing at a time, in the order of asking; of one page only the newest request waits, in the place of the one before. */

import { BackendError } from "../backend";

interface Waiting {
  work: () => Promise<void>;
  supersede: () => void;
}

export class Queue {
  private readonly waiting = new Map<string, Waiting>();
  private running = false;
  private count = 0;

  /** @param page Whose earlier request, if it has not begun, is superseded; without one nobody's. */
  submit<T>(work: () => Promise<T>, page?: string): Promise<T> {
    const key = page === undefined ? `#${this.count++}` : `page ${page}`;
    return new Promise((resolve, reject) => {
      this.waiting.get(key)?.supersede();
      this.waiting.set(key, {
        work: () => work().then(resolve, reject),
        supersede: () => reject(new BackendError("superseded", "a newer request of the same page took its place")),
      });
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (;;) {
      const next = this.waiting.entries().next().value;
      if (next === undefined) break;
      const [key, { work }] = next;
      this.waiting.delete(key);
      await work();
    }
    this.running = false;
  }
}
