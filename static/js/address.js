/** Addresses of our own pages. */

/**
 * The same, going on asking for the language that this page's address asks for.
 *
 * @param {string} path
 */
export function link(path) {
  const asked = new URLSearchParams(location.search).get("language");
  if (asked === null) {
    return path;
  }
  const url = new URL(path, location.origin);
  url.searchParams.set("language", asked);
  return url.pathname + url.search;
}
