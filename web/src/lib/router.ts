/** Views by the address behind the `#`. */

export const VIEWS = ["sketch", "labels", "digits", "files", "training", "compare"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** What follows the view: the name of a run. */
  rest: string;
}

export function routeOf(hash: string): Route {
  const [view, ...rest] = hash.replace(/^#\/?/, "").split("/");
  const known = VIEWS.find((candidate) => candidate === view);
  return known === undefined ? { view: "sketch", rest: "" } : { view: known, rest: decoded(rest.join("/")) };
}

export function addressOf(view: View, rest = ""): string {
  return `#/${view}${rest === "" ? "" : `/${encodeURIComponent(rest)}`}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
