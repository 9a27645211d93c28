/** Taking things home. */

export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Not at once: the browser may still be reading.
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}

/** A result, and the drawing that it was made of. */
export interface Pair {
  drawing: Blob;
  result: Blob;
}

/** Both side by side, as pairs are trained from. */
export async function pairOf({ drawing, result }: Pair): Promise<Blob> {
  const [left, right] = await Promise.all([createImageBitmap(drawing), createImageBitmap(result)]);
  const canvas = document.createElement("canvas");
  canvas.width = left.width + right.width;
  canvas.height = Math.max(left.height, right.height);
  const context = canvas.getContext("2d")!;
  context.drawImage(left, 0, 0);
  context.drawImage(right, left.width, 0);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture came of the canvas"))), "image/png"),
  );
}
