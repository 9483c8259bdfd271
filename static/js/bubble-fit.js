/**
 * Makes bubbles as narrow as their longest line, and keeps a link whole that fits on one.
 *
 * CSS gives a text of several lines all the width there is, and breaks a link at its first hyphen.
 * Many rows are measured at once, so that a page of them costs three layouts and not three each.
 */

/** What rounding may take from a line. */
const SPARE_PX = 0.5;

/** @param {HTMLElement[]} rows whose text, or the room for it, has changed */
export function fitBubbles(rows) {
  const texts = rows.flatMap((row) => [...row.querySelectorAll(".message__text")]).filter(isElement);
  texts.forEach(release);
  const ofLines = texts.filter(hasLines);
  const links = ofLines.flatMap(brokenLinks);
  for (const { link, fits } of links) {
    link.dataset.fit = fits ? "whole" : "filled";
  }
  const widths = ofLines.map(longestLine);
  ofLines.forEach((text, index) => {
    text.style.maxInlineSize = widths[index] ?? "";
  });
}

/** All the width there is, as CSS gives it. @param {HTMLElement} text */
function release(text) {
  text.style.maxInlineSize = "";
  for (const link of text.querySelectorAll("a")) {
    delete link.dataset.fit;
  }
}

/** @param {HTMLElement} text */
function hasLines(text) {
  return text.clientHeight > 1.5 * parseFloat(getComputedStyle(text).lineHeight);
}

/**
 * The links that stand on more than one line, and whether one would be enough.
 *
 * @param {HTMLElement} text
 */
function brokenLinks(text) {
  return [...text.querySelectorAll("a")].flatMap((link) => {
    const pieces = [...link.getClientRects()];
    const width = pieces.reduce((sum, piece) => sum + piece.width, 0);
    return pieces.length > 1 ? [{ link, fits: width + SPARE_PX < text.clientWidth }] : [];
  });
}

/** In `em`, so that it grows with the text. @param {HTMLElement} text */
function longestLine(text) {
  const range = document.createRange();
  range.selectNodeContents(text);
  const pieces = [...range.getClientRects()].filter(({ width }) => width > 0);
  const start = Math.min(...pieces.map(({ left }) => left));
  const end = Math.max(...pieces.map(({ right }) => right));
  const width = Math.ceil(end - start) + SPARE_PX;
  return width < text.clientWidth ? `${width / parseFloat(getComputedStyle(text).fontSize)}em` : "";
}

/**
 * @param {Element} element
 * @returns {element is HTMLElement}
 */
function isElement(element) {
  return element instanceof HTMLElement;
}
