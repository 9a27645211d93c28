/** The worker that draws. Its first message says where the page lies and which models there are. */

import { decoded } from "./decoding";
import { Engine } from "./engine";
import { Fetching } from "./fetching";
import type { WebModel } from "./manifest";
import { Networks } from "./runtime";
import { serve, tellFetched, type Line } from "./service";

const line = self as unknown as Line;

line.onmessage = ({ data }: MessageEvent<{ base: string; models: WebModel[] }>) => {
  const networks = new Networks(new URL(data.base), new Fetching((share) => tellFetched(line, share)));
  serve(line, new Engine(data.models, { decode: decoded, open: (model) => networks.open(model) }));
};
