/** Spans of time as people say them. */

/** `2 h 5 min`, `40 s`: two units at most, none of them zero. */
export function span(seconds: number): string {
  const units: [string, number][] = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  let left = Math.max(1, Math.round(seconds));
  const parts: string[] = [];
  const first = units.findIndex(([, length]) => left >= length);
  for (const [name, length] of units.slice(first, first + 2)) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(" ");
}
