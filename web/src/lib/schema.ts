/** A recipe's JSON schema as a flat list of settings, and the settings that a person changed. */

import type { Json, RecipeForm } from "./backend";

type Node = { [key: string]: Json };

export interface Field {
  /** As on the command line: `train.total_images`. */
  path: string;
  /** The table that it stands in, e.g. `train`. */
  group: string;
  /** The key without its table, in words. */
  title: string;
  description: string;
  kind: "whole" | "number" | "switch" | "text" | "choice" | "list";
  /** Of `choice`. */
  choices: (string | number)[];
  /** Of `list`: what each of its values is. */
  each?: Field;
  minimum?: number;
  maximum?: number;
  /** In the recipe as it is. */
  value: Json;
}

/** In this order; tables that the schema has beyond these follow. Networks and formulas are for those who look for them. */
const GROUPS = ["train", "data", "init", "hints", "validation", "objective", "generator", "discriminator", "optimiser"];
export const FIRST = new Set([
  "train.total_images",
  "train.epochs",
  "train.batch_size",
  "train.seed",
  "data.size",
  "data.layout",
  "data.direction",
  "init.model",
]);

/** Every setting that a form can show, those of the first groups first. A table that has variants shows the chosen one. */
export function fieldsOf(form: RecipeForm, changes: Readonly<Record<string, Json>> = {}): Field[] {
  const fields: Field[] = [];
  walk(form.schema, form.schema, form.recipe, "", changes, fields);
  const order = (group: string): number => (GROUPS.indexOf(group) + GROUPS.length + 1) % (GROUPS.length + 1);
  return fields.toSorted((a, b) => order(a.group) - order(b.group));
}

/** Whether a person who starts a run wants to see this before all else. */
export function isEssential(field: Field): boolean {
  return FIRST.has(field.path);
}

/** What was changed and is not what the recipe says anyhow. */
export function settingsOf(fields: readonly Field[], changes: Readonly<Record<string, Json>>): Record<string, Json> {
  const settings: Record<string, Json> = {};
  for (const { path, value } of fields) {
    const change = changes[path];
    if (change !== undefined && !isSame(change, value)) settings[path] = change;
  }
  return settings;
}

/** Whether two values of a setting are the same; lists are by what they hold. */
export function isSame(one: Json, other: Json): boolean {
  return one === other || (Array.isArray(one) && JSON.stringify(one) === JSON.stringify(other));
}

/** A value as a person types it. */
export function typed(value: Json): string {
  return Array.isArray(value) ? value.join(", ") : String(value ?? "");
}

/** What a person typed as the value of a field; undefined when it is none. */
export function parsed(field: Field, text: string): Json | undefined {
  if (field.kind === "text") return text;
  if (field.kind === "list") {
    const parts = text.split(",").map((part) => part.trim());
    const values = text.trim() === "" ? [] : parts.map((part) => parsed(field.each!, part));
    return values.every((value) => value !== undefined) ? values : undefined;
  }
  if (field.kind === "choice") return field.choices.find((choice) => String(choice) === text);
  const number = Number(text.replaceAll("_", ""));
  if (text.trim() === "" || !Number.isFinite(number)) return undefined;
  if (field.kind === "whole" && !Number.isInteger(number)) return undefined;
  if (field.minimum !== undefined && number < field.minimum) return undefined;
  if (field.maximum !== undefined && number > field.maximum) return undefined;
  return number;
}

function walk(root: Node, node: Node, value: Json, path: string, changes: Readonly<Record<string, Json>>, into: Field[]) {
  for (const [key, child] of Object.entries(asNode(node["properties"]))) {
    const at = path === "" ? key : `${path}.${key}`;
    // A run is named and its recipe described elsewhere; a task is not a thing to change.
    if (path === "" && ["name", "description", "task"].includes(key)) continue;
    // Of the two ways to say how long, the recipe's; and the folder of the data is asked for by itself.
    if (at === "data.path" || (["train.total_images", "train.epochs"].includes(at) && !asNode(value)[key])) continue;
    const outer = asNode(child);
    const inner = asNode(value)[key];
    const spot: Node = { ...resolved(root, outer), ...pick(outer, "description", "default") };
    const variants = asList(spot["oneOf"] ?? spot["anyOf"]).map((variant) => resolved(root, asNode(variant)));
    const tables = variants.filter((variant) => variant["properties"] !== undefined);
    if (tables.length > 0) walkVariants(root, spot, tables, inner ?? null, at, changes, into);
    else if (spot["properties"] !== undefined) walk(root, spot, inner ?? null, at, changes, into);
    else {
      const field = fieldOf(root, spot, variants, at, inner ?? spot["default"] ?? null);
      if (field !== undefined) into.push(field);
    }
  }
}

function walkVariants(
  root: Node,
  spot: Node,
  tables: Node[],
  value: Json,
  path: string,
  changes: Readonly<Record<string, Json>>,
  into: Field[],
) {
  const key = String(asNode(spot["discriminator"])["propertyName"] ?? "");
  const names = tables.map((table) => constantOf(asNode(asNode(table["properties"])[key])));
  const now = asNode(value)[key] ?? names[0] ?? null;
  const chosen = changes[`${path}.${key}`] ?? now;
  const table = tables[names.indexOf(chosen as string)];
  if (table === undefined) return;
  if (tables.length > 1) {
    const known = names.filter((name) => name !== undefined);
    into.push({ ...named(`${path}.${key}`), description: "", kind: "choice", choices: known, value: now });
  }
  const { [key]: _, ...rest } = asNode(table["properties"]);
  walk(root, { ...table, properties: rest }, chosen === now ? value : {}, path, changes, into);
}

function fieldOf(root: Node, spot: Node, variants: Node[], path: string, value: Json): Field | undefined {
  if (spot["const"] !== undefined) return undefined;
  const base = {
    ...named(path),
    description: typeof spot["description"] === "string" ? spot["description"] : "",
    choices: [],
    value,
    ...limits(spot),
  };
  const choices = choicesOf(spot) ?? joined(variants);
  if (choices !== undefined) return { ...base, kind: "choice", choices };
  if (spot["type"] === "integer") return { ...base, kind: "whole" };
  if (spot["type"] === "number") return { ...base, kind: "number" };
  if (spot["type"] === "boolean") return { ...base, kind: "switch" };
  if (spot["type"] === "string") return { ...base, kind: "text" };
  if (spot["type"] === "array") {
    const each = fieldOf(root, resolved(root, asNode(spot["items"])), [], path, null);
    if (each !== undefined) return { ...base, kind: "list", each };
  }
  return undefined;
}

function choicesOf(spot: Node): (string | number)[] | undefined {
  if (!Array.isArray(spot["enum"])) return undefined;
  return spot["enum"].filter((choice) => typeof choice === "string" || typeof choice === "number");
}

function joined(variants: Node[]): (string | number)[] | undefined {
  const all = variants.map((variant) => choicesOf(variant) ?? [constantOf(variant)]);
  const flat = all.flat().filter((choice) => choice !== undefined);
  return flat.length > 0 ? flat : undefined;
}

function constantOf(node: Node): string | number | undefined {
  const value = node["const"] ?? (asList(node["enum"]).length === 1 ? asList(node["enum"])[0] : undefined);
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}

function limits(spot: Node): Pick<Field, "minimum" | "maximum"> {
  // An exclusive limit is checked where the run is started; here it only keeps plain slips out.
  const minimum = spot["minimum"] ?? spot["exclusiveMinimum"];
  const maximum = spot["maximum"] ?? spot["exclusiveMaximum"];
  return {
    ...(typeof minimum === "number" ? { minimum } : {}),
    ...(typeof maximum === "number" ? { maximum } : {}),
  };
}

function named(path: string): Pick<Field, "path" | "group" | "title"> {
  const [group, ...rest] = path.split(".");
  return { path, group: group!, title: (rest.length > 0 ? rest.join(" · ") : group!).replaceAll("_", " ") };
}

function resolved(root: Node, node: Node): Node {
  const reference = node["$ref"] ?? asNode(asList(node["allOf"])[0])["$ref"];
  if (typeof reference !== "string") return node;
  return asNode(asNode(root["$defs"])[reference.split("/").at(-1)!]);
}

function pick(node: Node, ...keys: string[]): Node {
  return Object.fromEntries(keys.filter((key) => node[key] !== undefined).map((key) => [key, node[key]!]));
}

function asNode(value: Json | undefined): Node {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
