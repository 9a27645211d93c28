// A stand-in for the studio's server that draws nothing real: it answers as its description says, for the page's
// own tests and for work on the page without Python. `node dev/mock.mjs [PORT]`; then `GANVAS_STUDIO=... npm run dev`.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { zipSync } from "fflate";

// A white and a black pixel.
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTlFFwAAAABJRU5ErkJggg==",
  "base64",
);
const SKETCH = {
  name: "sketch2color", title: "sketch2color", description: "From sketch to colour.", task: "translate", size: 128,
  channels: 3, hints: true, variations: true, class_names: [], source: { kind: "picture", channels: 1, classes: [] },
  origin: "shipped", licence: "none", images_seen: 0, examples: 1,
};
const STREET = {
  ...SKETCH, name: "run:street", title: "street", hints: false, origin: "run", size: 64,
  source: {
    kind: "labels", channels: 2,
    classes: [{ id: 0, name: "Sky", colour: "#808080" }, { id: 1, name: "Road", colour: "#804080" }],
  },
};
const DIGITS = {
  ...SKETCH, name: "digits-cgan", title: "digits-cgan", task: "label", size: 28, channels: 1, hints: false,
  class_names: [..."0123456789"], source: null, examples: 0,
};
const RECIPE = {
  recipe: { name: "sketch2color", task: "translate", train: { total_images: 1000 } },
  schema: { properties: { train: { properties: { total_images: { type: "integer", description: "how long" } } } } },
};

/** Drawings one after the other; of a page only the newest waits. */
class Turns {
  #waiting = new Map();
  #busy = false;

  /** Whether it is this one's turn, when it is; false where a newer one of the page took its place. */
  take(page) {
    this.#waiting.get(page)?.(false);
    return new Promise((resolve) => {
      this.#waiting.set(page, resolve);
      this.#next();
    });
  }

  end() {
    this.#busy = false;
    this.#next();
  }

  #next() {
    const [next] = this.#waiting;
    if (this.#busy || !next) return;
    this.#busy = true;
    this.#waiting.delete(next[0]);
    next[1](true);
  }
}

/** A server on a free port of the loopback; `seen` holds the requests as {method, path, query, body}. No drawing is
 *  finished between `hold()` and the call of what that returns. */
export async function startMock(port = 0) {
  const seen = [];
  const runs = new Map();
  const jobs = [];
  const turns = new Turns();
  let held;
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("latin1");
    const { pathname, search: query } = new URL(request.url, "http://mock");
    const path = decodeURIComponent(pathname);
    seen.push({ method: request.method, path, query, body });
    const send = (status, type, content, headers = {}) =>
      response.writeHead(status, { "Content-Type": type, ...headers }).end(content);
    const json = (value, status = 200) => send(status, "application/json", JSON.stringify(value));
    const problem = (status, type, code, detail, { headers, ...parameters } = {}) => {
      const told = { type, title: type, status, detail, code, parameters };
      send(status, "application/problem+json", JSON.stringify(told), headers);
    };
    const events = (...list) =>
      send(200, "text/event-stream", list.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join(""));
    const field = (name) => new RegExp(`name="${name}"\r\n\r\n([^\r]*)`).exec(body)?.[1];

    if (path === "/healthz") return json({ status: "ok" });
    if (path === "/api/models") return json([DIGITS, SKETCH, STREET]);
    if (path.endsWith("/examples/0.png")) return send(200, "image/png", PNG);
    if (path.endsWith("/translate")) {
      if (!body.includes("\x89PNG")) return problem(415, "not-a-picture", "not-a-picture", "the picture is none", { kinds: "PNG" });
      if (field("page") === "crowd") return problem(503, "busy", "queue-full", "too many", { count: 9, headers: { "Retry-After": "3" } });
      if (!(await turns.take(field("page")))) return problem(409, "superseded", "newer-request", "a newer one came");
      await held;
      turns.end();
      return send(200, "image/png", PNG, { "X-Ganvas-Milliseconds": "12.5" });
    }
    if (path.endsWith("/warm")) return send(202, "text/plain");
    if (path.endsWith("/sample")) {
      const { labels, between } = JSON.parse(body);
      const asked = between ? Array(between.steps).fill(labels[0]) : labels;
      return json({ pictures: asked.map((label) => ({ label: String(label), png: PNG.toString("base64") })) });
    }
    if (path.endsWith("/files")) {
      const files = [...body.matchAll(/filename="([^"]*)"\r\n.*\r\n\r\n(\x89PNG)?/g)].map(([, name, png]) => ({ name, good: !!png }));
      return json({ id: String(jobs.push(files) - 1) }, 202);
    }
    const [, job, part] = /^\/api\/jobs\/(\d+)\/?(.*)$/.exec(path) ?? [];
    if (job) {
      const files = jobs[job];
      const after = (done) => {
        const failed = files.slice(0, done).filter(({ good }) => !good).map(({ name }) => ({ name, reason: "is damaged" }));
        return { done, total: files.length, failed };
      };
      if (part === "events") return events(...files.map((_, at) => [at + 1 < files.length ? "progress" : "done", after(at + 1)]));
      if (part === "result.zip") {
        const results = files.filter(({ good }) => good).map(({ name }) => [name, PNG]);
        return send(200, "application/zip", Buffer.from(zipSync(Object.fromEntries(results))));
      }
      return request.method === "GET" ? json({ state: "done", ...after(files.length) }) : send(204, "text/plain");
    }
    if (path === "/api/recipes") return json([{ name: "sketch2color", description: "From sketch to colour.", task: "translate" }]);
    if (path.startsWith("/api/recipes/")) return json(RECIPE);
    if (path === "/api/runs" && request.method === "POST") {
      const { name, recipe } = JSON.parse(body);
      if (runs.has(name)) return problem(409, "conflict", "name-taken", `run '${name}' is there already`, { run: name });
      runs.set(name, { name, recipe, state: "running", images: 0, total_images: 1000, images_per_second: null, message: "" });
      return json(runs.get(name), 201);
    }
    if (path === "/api/runs") return json([...runs.values()]);
    const [, name, rest] = /^\/api\/runs\/([^/]+)\/?(.*)$/.exec(path) ?? [];
    const run = runs.get(name);
    if (!run) return problem(404, "not-found", "no-address", "there is nothing at this address");
    if (rest === "") return json({ ...run, stats: [{ images: 10, losses: { g: 1 } }], samples: [0] });
    if (rest === "events") return events(["state", run], ["stats", { images: 20, losses: { g: 0.5 } }], ["sample", { images: 20 }]);
    if (rest.startsWith("samples/")) return send(200, "image/png", PNG);
    run.state = rest === "stop" ? "stopped" : "running";
    return json(run);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  const hold = () => {
    let release;
    held = new Promise((resolve) => (release = resolve));
    return release;
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, seen, hold, close };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log((await startMock(Number(process.argv[2] ?? 8765))).origin);
}
