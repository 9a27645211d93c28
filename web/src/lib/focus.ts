/** The keyboard's place on the page is never lost. */

const FOCUSABLE = ["a[href]", "button", "input", "select", "summary", "[tabindex]"]
  .map((kind) => `${kind}:not(:disabled, [hidden], [tabindex="-1"])`)
  .join();

/** What to go on with inside `root` when `path`, an element and all around it from the inside out, has partly gone:
 *  the first of the nearest part that is still there and has any; `root` itself where there is none. */
function next(path: readonly Element[], root: HTMLElement): HTMLElement {
  for (const around of path) {
    const found = root.contains(around) ? around.querySelector<HTMLElement>(FOCUSABLE) : null;
    if (found) return found;
  }
  return root;
}

/** Gives the focus of an element that goes away, or is disabled, to the next one in `root`; returns what ends this. */
export function keepFocus(root: HTMLElement): () => void {
  /** What has the focus, and all around it. */
  let path: Element[] = [];

  function onfocusin(event: FocusEvent): void {
    path = event.composedPath().filter((one) => one instanceof Element);
  }
  function onfocusout({ target }: FocusEvent): void {
    // Left, not lost. Whether it is still there shows when the change at hand is done.
    queueMicrotask(() => {
      if (target === path[0] && path[0]?.isConnected && !path[0].matches(":disabled")) path = [];
    });
  }
  const observer = new MutationObserver(() => {
    const [last] = path;
    if (last === undefined || (last.isConnected && !last.matches(":disabled"))) return;
    const { activeElement } = document;
    if (activeElement === document.body || activeElement === last) next(path, root).focus({ preventScroll: true });
  });

  observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ["disabled"] });
  document.addEventListener("focusin", onfocusin);
  document.addEventListener("focusout", onfocusout);
  return () => {
    observer.disconnect();
    document.removeEventListener("focusin", onfocusin);
    document.removeEventListener("focusout", onfocusout);
  };
}
