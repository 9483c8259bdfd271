/** The demo shop's own script: tells the chat what its page sells, as any shop's page may. */

import { find } from "./parts.js";

addEventListener("load", () => {
  const { name = "", price = "" } = find(document, "main", HTMLElement).dataset;
  const url = location.origin + location.pathname;
  /** @type {any} */ (window).Shopbell?.context({ product: { name, url, price } });
});
