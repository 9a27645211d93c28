/** Files from where the page came from, and how far they are. */

import { BackendError } from "../backend";

/** Tells the share of all that is being fetched, 0 to 1; null when nothing is. */
export type Tell = (share: number | null) => void;

export class Fetching {
  private readonly open = new Set<{ done: number; total: number }>();

  constructor(private readonly tell: Tell) {}

  /** The file's bytes, unpacked where it is packed by gzip, whether or not the server says so.
   *  @throws BackendError "unreachable" */
  async bytes(address: string | URL): Promise<Uint8Array<ArrayBuffer>> {
    const progress = { done: 0, total: 0 };
    this.open.add(progress);
    try {
      const response = await fetch(address);
      if (!response.ok || response.body === null) throw new Error(`${response.status} for ${String(address)}`);
      // Of a file that is packed on its way the length is not that of what comes.
      if (!response.headers.has("Content-Encoding")) progress.total = Number(response.headers.get("Content-Length") ?? 0);
      const counted = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform: (piece, controller) => {
            progress.done += piece.length;
            this.report();
            controller.enqueue(piece);
          },
        }),
      );
      const bytes = new Uint8Array(await new Response(counted).arrayBuffer());
      return bytes[0] === 0x1f && bytes[1] === 0x8b ? await unpacked(bytes) : bytes;
    } catch (error) {
      throw new BackendError("unreachable", error instanceof Error ? error.message : String(error));
    } finally {
      this.open.delete(progress);
      this.report();
    }
  }

  private report(): void {
    const parts = [...this.open];
    const sum = (key: "done" | "total"): number => parts.reduce((all, part) => all + part[key], 0);
    this.tell(parts.length === 0 ? null : Math.min(1, sum("done") / Math.max(sum("total"), 1)));
  }
}

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
