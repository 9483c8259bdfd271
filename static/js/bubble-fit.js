/**
 * Makes bubbles as narrow as their longest line, and breaks long links where they are read best.
 *
 * CSS gives a text of several lines all the width there is, and breaks a link at its first hyphen.
 * Many rows are measured at once, first all read, then all written, so that a page of them costs a
 * few layouts and not a few each.
 */

/** What rounding may take from a line. */
const SPARE_PX = 0.5;
/** A link's host with what is before it, then each step of its path and each part of its query. */
const PIECES = /^[a-z]+:\/\/[^/?#]+\/?|[^/?#&]+[/?#&]*|[/?#&]+/gi;

/** @param {HTMLElement[]} rows whose text, or the room for it, has changed */
export function fitBubbles(rows) {
  const texts = rows.flatMap((row) => [...row.querySelectorAll(".message__text")]).filter(isHtml);
  texts.forEach(release);
  const ofLines = texts.filter(hasLines);
  const links = ofLines.flatMap((text) => broken(text, text.querySelectorAll("a")));
  links.filter(({ isWide }) => isWide).forEach(({ element }) => split(element));
  mark(links);
  const long = ofLines.filter((text) => text.querySelector("span[data-piece]"));
  mark(long.flatMap((text) => broken(text, text.querySelectorAll("span[data-piece]"))));
  const widths = ofLines.map(longestLine);
  ofLines.forEach((text, index) => {
    text.style.maxInlineSize = widths[index] ?? "";
  });
}

/** All the width there is, as CSS gives it. @param {HTMLElement} text */
function release(text) {
  text.style.maxInlineSize = "";
  for (const element of text.querySelectorAll("[data-fit]")) {
    element.removeAttribute("data-fit");
  }
}

/** @param {HTMLElement} text */
function hasLines(text) {
  return text.clientHeight > 1.5 * parseFloat(getComputedStyle(text).lineHeight);
}

/**
 * Those that stand on more than one line, and whether they are wider than one.
 *
 * @param {HTMLElement} text
 * @param {Iterable<HTMLElement>} elements
 */
function broken(text, elements) {
  return [...elements].flatMap((element) => {
    const lines = [...element.getClientRects()];
    const width = lines.reduce((sum, line) => sum + line.width, 0);
    return lines.length > 1 ? [{ element, isWide: width + SPARE_PX > text.clientWidth }] : [];
  });
}

/** @param {{element: HTMLElement, isWide: boolean}[]} found */
function mark(found) {
  for (const { element, isWide } of found) {
    element.dataset.fit = isWide ? "wide" : "whole";
  }
}

/** So that it breaks between its pieces, and its host is seen in one. @param {HTMLElement} link */
function split(link) {
  if (link.childElementCount > 0) {
    return;
  }
  const pieces = (link.textContent ?? "").match(PIECES) ?? [];
  link.replaceChildren(
    ...pieces.flatMap((text) => {
      const piece = document.createElement("span");
      piece.dataset.piece = "";
      piece.textContent = text;
      return [piece, document.createElement("wbr")];
    }),
  );
}

/** In `em`, so that it grows with the text. @param {HTMLElement} text */
function longestLine(text) {
  const lines = [...text.children].flatMap((part) => [...linesOf(part)]).filter(({ width }) => width > 0);
  const start = Math.min(...lines.map(({ left }) => left));
  const end = Math.max(...lines.map(({ right }) => right));
  const width = Math.ceil(end - start) + SPARE_PX;
  return width < text.clientWidth ? `${width / parseFloat(getComputedStyle(text).fontSize)}em` : "";
}

/** The time's room may be a block, as wide as there is room: then its text counts. @param {Element} part */
function linesOf(part) {
  if (getComputedStyle(part).display === "inline") {
    return part.getClientRects();
  }
  const range = document.createRange();
  range.selectNodeContents(part);
  return range.getClientRects();
}

/**
 * @param {Element} element
 * @returns {element is HTMLElement}
 */
function isHtml(element) {
  return element instanceof HTMLElement;
}
