import { expect, test } from "vitest";
import type { RecipeForm } from "./backend";
import { fieldsOf, isEssential, parsed, settingsOf, typed, type Field } from "./schema";

/** In the form that pydantic writes: tables by reference, variants with a discriminator. */
const form: RecipeForm = {
  recipe: {
    name: "sketch2color",
    task: "translate",
    condition: ["picture"],
    data: { path: "", size: 128 },
    train: { total_images: 200_000, epochs: 0, batch_size: 16, precision: "fp32" },
    hints: { enabled: true },
    generator: { network: "unet", width: 32, skip_order: "decoder-first" },
    discriminator: { receptive_field: 70 },
  },
  schema: {
    properties: {
      name: { type: "string" },
      task: { const: "translate", type: "string" },
      condition: { type: "array", items: { enum: ["picture", "label"] } },
      generator: {
        discriminator: { propertyName: "network" },
        oneOf: [{ $ref: "#/$defs/Unet" }, { $ref: "#/$defs/Plain" }],
      },
      discriminator: { $ref: "#/$defs/Patch", default: { receptive_field: 70 } },
      hints: { $ref: "#/$defs/Hints" },
      data: { $ref: "#/$defs/Data" },
      train: { $ref: "#/$defs/Train" },
    },
    $defs: {
      Unet: {
        properties: {
          network: { const: "unet", type: "string" },
          width: { type: "integer", minimum: 4, maximum: 256, default: 64, description: "ngf" },
          skip_order: { enum: ["decoder-first", "skip-first"], type: "string" },
        },
      },
      Plain: {
        properties: { network: { const: "plain", type: "string" }, width: { type: "integer", default: 64 } },
      },
      Patch: { properties: { receptive_field: { enum: [1, 70, "image"], default: 70 } } },
      Hints: { properties: { enabled: { type: "boolean", default: false } } },
      Data: { properties: { path: { type: "string" }, size: { type: "integer", minimum: 32, maximum: 1024 } } },
      Train: {
        properties: {
          total_images: { type: "integer" },
          epochs: { type: "integer" },
          batch_size: { type: "integer", minimum: 1 },
          precision: { enum: ["fp32", "bf16"], type: "string" },
        },
      },
    },
  },
};
const at = (path: string, fields: Field[] = fieldsOf(form)): Field => fields.find((field) => field.path === path)!;

test("settings are found in tables behind references, with the recipe's value and the schema's words and limits", () => {
  expect(at("data.size")).toMatchObject({ kind: "whole", value: 128, minimum: 32, maximum: 1024, group: "data" });
  expect(at("generator.width")).toMatchObject({ value: 32, description: "ngf" });
  expect(at("hints.enabled")).toMatchObject({ kind: "switch", value: true });
  expect(at("discriminator.receptive_field")).toMatchObject({ kind: "choice", choices: [1, 70, "image"], value: 70 });
});

test("what a form cannot change is not in it", () => {
  const paths = fieldsOf(form).map(({ path }) => path);
  for (const path of ["name", "task", "data.path"]) expect(paths).not.toContain(path);
});

test("of images and epochs only that one is offered by which the recipe says how long", () => {
  const paths = fieldsOf(form).map(({ path }) => path);
  expect(paths).toContain("train.total_images");
  expect(paths).not.toContain("train.epochs");
  expect(isEssential(at("train.total_images"))).toBe(true);
});

test("a variant is a choice, and another one shows its own settings with the schema's defaults", () => {
  expect(at("generator.network")).toMatchObject({ kind: "choice", choices: ["unet", "plain"], value: "unet" });
  const fields = fieldsOf(form, { "generator.network": "plain" });
  expect(at("generator.skip_order", fields)).toBeUndefined();
  expect(at("generator.width", fields).value).toBe(64);
});

test("only what differs from the recipe is sent, and nothing of a variant that is not chosen", () => {
  const changes = { "data.size": 64, "train.batch_size": 16, "generator.network": "plain", "generator.skip_order": "x" };
  expect(settingsOf(fieldsOf(form, changes), changes)).toEqual({ "data.size": 64, "generator.network": "plain" });
  expect(settingsOf(fieldsOf(form), {})).toEqual({});
});

test("a list is typed with commas, each value as its kind has it, and only another list is a change", () => {
  const condition = at("condition");
  expect(condition).toMatchObject({ kind: "list", value: ["picture"], each: { kind: "choice", choices: ["picture", "label"] } });
  expect(typed(["picture", "label"])).toBe("picture, label");
  expect(parsed(condition, " picture ,label")).toEqual(["picture", "label"]);
  expect(parsed(condition, "")).toEqual([]);
  for (const text of ["picture, class", "picture,", ","]) expect(parsed(condition, text)).toBeUndefined();
  const sizes: Field = { ...condition, each: at("data.size") };
  expect(parsed(sizes, "32, 64")).toEqual([32, 64]);
  expect(parsed(sizes, "32, 8")).toBeUndefined();
  expect(settingsOf(fieldsOf(form), { condition: ["picture"] })).toEqual({});
  expect(settingsOf(fieldsOf(form), { condition: ["picture", "label"] })).toEqual({ condition: ["picture", "label"] });
});

test("the run's length comes first, networks last", () => {
  const groups = [...new Set(fieldsOf(form).map(({ group }) => group))];
  expect(groups).toEqual(["train", "data", "hints", "generator", "discriminator", "condition"]);
});

test("typed values have the field's type, and what is no such value is none", () => {
  const size = at("data.size");
  expect(parsed(size, "64")).toBe(64);
  expect(parsed(at("train.total_images"), "200_000")).toBe(200_000);
  for (const text of ["", "many", "64.5", "8", "4096"]) expect(parsed(size, text)).toBeUndefined();
  const choice = at("discriminator.receptive_field");
  expect(parsed(choice, "1")).toBe(1);
  expect(parsed(choice, "image")).toBe("image");
  expect(parsed(choice, "71")).toBeUndefined();
});
