/** Drawing with the models of the manifest. It knows neither how pictures are decoded nor what runs the networks. */

import { BackendError, type Runner, type Sample, type SampleRequest, type Translation, type TranslateRequest } from "../backend";
import { encodePng, type Pixels } from "../png";
import type { Sampling, WebModel } from "./manifest";
import { noises, walk } from "./noise";
import { finished, levels, prepared, type Input, type Wanted } from "./preparation";
import { refused } from "./refusals";

/** (batch, channels, height, width), or of noise (batch, latent). */
export interface Tensor {
  data: Float32Array;
  shape: readonly number[];
}

/** A network that is ready to run. */
export interface Network {
  /** What ran it the last time, or will. */
  readonly by: Runner;
  run(input: Tensor, labels: number[] | undefined): Promise<Tensor>;
}

export interface Tools {
  /** RGBA, upright; `name` stands in messages. */
  decode(file: Blob, name: string): Promise<Pixels>;
  open(model: WebModel): Promise<Network>;
}

const MOST_SAMPLES = 64;

export class Engine {
  private readonly networks = new Map<string, Promise<Network>>();

  constructor(
    private readonly models: readonly WebModel[],
    private readonly tools: Tools,
  ) {}

  /** Loads a model, which later requests find loaded. */
  async warm(name: string): Promise<void> {
    await this.network(this.find(name));
  }

  async translate(request: Omit<TranslateRequest, "page">): Promise<Translation> {
    const model = this.find(request.model);
    const { translating, source } = model;
    if (translating === null || source === null) throw refused("draws-without-picture", `${model.title} translates no pictures.`, { model: model.title });
    if (request.hints && !model.hints) throw refused("takes-no-hints", `${model.title} takes no hints.`, { model: model.title });
    const label = labelOf(model, request.label);
    const network = await this.network(model);
    const began = performance.now();
    const picture = await this.tools.decode(request.picture, "The picture");
    const hints = request.hints && (await this.tools.decode(request.hints, "The layer of hints"));
    const wanted: Wanted = { ...translating, source, hints: model.hints, size: model.size };
    const { data, channels, height, width } = prepared(wanted, picture, hints);
    const drawn = await network.run({ data, shape: [1, channels, height, width] }, label && [label.index]);
    const result = finished(wanted, first(drawn), picture);
    return { picture: await encodePng(result), milliseconds: performance.now() - began, by: network.by };
  }

  async sample(request: SampleRequest): Promise<Sample[]> {
    const model = this.find(request.model);
    if (model.sampling === null) throw refused("translates-pictures", `${model.title} needs a picture to start from.`, { model: model.title });
    if (request.labels.length === 0 || request.labels.length > MOST_SAMPLES) {
      throw new BackendError("refused", `${request.labels.length} labels: expected 1 to ${MOST_SAMPLES}.`);
    }
    const asked = request.between ? Array(request.between.steps).fill(request.labels[0]!) : request.labels;
    const labels = model.class_names.length > 0 ? asked.map((label) => labelOf(model, label)!) : undefined;
    const input = { data: noiseFor(request, asked.length, model.sampling), shape: [asked.length, model.sampling.latent] };
    const drawn = await (await this.network(model)).run(input, labels?.map(({ index }) => index));
    const [low, high] = model.sampling.value_range;
    const data = drawn.data.map((value) => (value - low) * (2 / (high - low)) - 1);
    return Promise.all(
      asked.map(async (_, place) => {
        const picture = await encodePng(levels(nth({ ...drawn, data }, place)));
        return { label: labels?.[place]!.name ?? "", picture };
      }),
    );
  }

  private find(name: string): WebModel {
    const model = this.models.find((one) => one.name === name);
    if (model === undefined) throw refused("no-model", `There is no model '${name}'.`, { model: name, hint: "" });
    return model;
  }

  private network(model: WebModel): Promise<Network> {
    let network = this.networks.get(model.name);
    if (network === undefined) {
      network = this.tools.open(model);
      this.networks.set(model.name, network);
      // What could not be loaded is asked for again with the next request.
      network.catch(() => this.networks.delete(model.name));
    }
    return network;
  }
}

function noiseFor({ seed, between, same_noise }: SampleRequest, count: number, { latent, uniform }: Sampling): Float32Array {
  const one = (of: number): Float32Array => noises(of, 1, latent, uniform);
  if (between) return walk(one(seed), one(between.seed), between.steps, uniform);
  if (!same_noise) return noises(seed, count, latent, uniform);
  const data = new Float32Array(count * latent);
  for (let place = 0; place < count; place++) data.set(one(seed), place * latent);
  return data;
}

/** By name, or by index where a number is given. */
function labelOf(model: WebModel, label: string | number | undefined): { index: number; name: string } | undefined {
  const names = model.class_names;
  if (names.length === 0) {
    if (label !== undefined) throw refused("takes-no-label", `${model.title} takes no class.`, { model: model.title });
    return undefined;
  }
  const index = typeof label === "number" ? label : names.indexOf(label ?? "");
  const name = names[index];
  if (name === undefined) {
    const [asked, known] = [String(label ?? ""), names.join(", ")];
    const message = `${model.title} has no class '${asked}': it knows ${known}.`;
    throw refused("no-class", message, { model: model.title, label: asked, known });
  }
  return { index, name };
}

function first(drawn: Tensor): Input {
  return nth(drawn, 0);
}

function nth({ data, shape }: Tensor, place: number): Input {
  const [, channels, height, width] = shape as [number, number, number, number];
  const size = channels * height * width;
  return { channels, height, width, data: data.subarray(place * size, (place + 1) * size) };
}
