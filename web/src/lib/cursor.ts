/** A place on a sheet, in shares of its sides, as the keyboard moves it. */

export interface Place {
  x: number;
  y: number;
}

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Where an arrow key leads from a place, with Shift four times as far; undefined of all other keys. */
export function moved({ key, shiftKey }: Pick<KeyboardEvent, "key" | "shiftKey">, from: Place): Place | undefined {
  const step = STEPS[key];
  if (step === undefined) return undefined;
  const size = shiftKey ? 1 / 16 : 1 / 64;
  const clamp = (value: number): number => Math.min(1, Math.max(0, value));
  return { x: clamp(from.x + step[0] * size), y: clamp(from.y + step[1] * size) };
}
