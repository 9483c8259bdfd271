/** Finds what a template marked with `data-part`, and says clearly what is missing. */

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} name
 * @param {abstract new (...args: any[]) => T} type
 * @returns {T}
 */
export function part(root, name, type) {
  return find(root, `[data-part="${name}"]`, type);
}

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {abstract new (...args: any[]) => T} type
 * @returns {T}
 */
export function find(root, selector, type) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) {
    throw new Error(`The page has no ${selector}.`);
  }
  return element;
}

/**
 * A copy of a template's one element.
 *
 * @param {HTMLTemplateElement} template
 * @returns {HTMLElement}
 */
export function clone(template) {
  const element = template.content.firstElementChild?.cloneNode(true);
  if (!(element instanceof HTMLElement)) {
    throw new Error("A template is empty.");
  }
  return element;
}
