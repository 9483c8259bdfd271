/** A button that copies what stands beside it. */

import { find } from "./parts.js";
import { words } from "./words.js";

const SAID_MS = 3_000;

/** @param {HTMLElement} root with a `code`, a `button` and a status line */
export function offerCopy(root) {
  const code = find(root, "code", HTMLElement);
  const button = find(root, "button", HTMLButtonElement);
  const status = find(root, '[role="status"]', HTMLElement);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      status.textContent = words.copied;
    } catch {
      getSelection()?.selectAllChildren(code); // the reader's own keys copy it then
      status.textContent = words.notCopied;
    }
    setTimeout(() => (status.textContent = ""), SAID_MS);
  });
}
