/** Undo and redo of values that are never changed in place. */

export class History<T> {
  private past: T[] = [];
  private future: T[] = [];

  /** @param limit Steps that can be undone. */
  constructor(
    private now: T,
    private readonly limit = 200,
  ) {}

  get present(): T {
    return this.now;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** A new step; what had been undone is forgotten. */
  commit(next: T): void {
    this.past.push(this.now);
    if (this.past.length > this.limit) this.past.shift();
    this.future = [];
    this.now = next;
  }

  undo(): void {
    const before = this.past.pop();
    if (before === undefined) return;
    this.future.push(this.now);
    this.now = before;
  }

  redo(): void {
    const after = this.future.pop();
    if (after === undefined) return;
    this.past.push(this.now);
    this.now = after;
  }
}
