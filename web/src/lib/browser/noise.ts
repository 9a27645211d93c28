/** Noise that a seed decides. The numbers are not those that `ganvas sample` draws from the same seed. */

/** Uniform on [0, 1), 24 bits each: PCG-like mixing of a counter (Steele and others, "SplitMix"). */
function uniforms(seed: number): () => number {
  // Both halves of a seed of up to 53 bits count.
  let state = mixed(mixed(seed >>> 0) ^ Math.floor(seed / 2 ** 32));
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mixed(state) >>> 8;
  };
}

function mixed(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** `count` noises of `latent` numbers one after the other; the first are the same whatever the count. */
export function noises(seed: number, count: number, latent: number, uniform: boolean): Float32Array {
  const next = uniforms(seed);
  const values = new Float32Array(count * latent);
  if (uniform) return values.map(() => next() / 2 ** 24);
  for (let index = 0; index < values.length; index += 2) {
    // Box and Muller (1958); never the logarithm of 0.
    const radius = Math.sqrt(-2 * Math.log((next() + 1) / 2 ** 24));
    const angle = (2 * Math.PI * next()) / 2 ** 24;
    values[index] = radius * Math.cos(angle);
    if (index + 1 < values.length) values[index + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** `steps` noises from one to the other: along the great circle (Shoemake 1985), straight for uniform noise. */
export function walk(start: Float32Array, end: Float32Array, steps: number, straight: boolean): Float32Array {
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, index) => sum + value * b[index]!, 0);
  const cosine = dot(start, end) / Math.sqrt(dot(start, start) * dot(end, end));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const plain = straight || Math.sin(angle) < 1e-6;
  const path = new Float32Array(steps * start.length);
  for (let step = 0; step < steps; step++) {
    const share = step / (steps - 1);
    const from = plain ? 1 - share : Math.sin((1 - share) * angle) / Math.sin(angle);
    const to = plain ? share : Math.sin(share * angle) / Math.sin(angle);
    for (let index = 0; index < start.length; index++) {
      path[step * start.length + index] = from * start[index]! + to * end[index]!;
    }
  }
  return path;
}
