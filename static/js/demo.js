/** The demo shop's own script: tells the chat what its page sells, as any shop's page may. */

import { find } from "./parts.js";

const { name = "", price = "" } = find(document, "main", HTMLElement).dataset;
const url = location.origin + location.pathname;
const shop = /** @type {{Shopbell?: any}} */ (window);
shop.Shopbell ??= []; // the chat may not have loaded yet; it reads this, then
shop.Shopbell.push(["context", { product: { name, url, price } }]);
