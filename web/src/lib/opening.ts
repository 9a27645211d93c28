/** Pictures from outside, to draw upon. */

import { app, t } from "./app.svelte";
import type { Easel } from "./easel.svelte";

export async function openPicture(easel: Easel, file: Blob): Promise<void> {
  try {
    easel.open(await createImageBitmap(file));
  } catch {
    app.tell(t("sheet.unreadable"), true);
  }
}
