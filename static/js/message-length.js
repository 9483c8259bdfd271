/** How long a message is, counted as `clean_message` in models/text.py counts. No DOM. */

/** CONTRACT section 3. */
export const CHARACTERS = 4000;

/** What the server leaves out: control characters but newline and tab, and halves of pairs. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Cs}]/gu;

/** In code points, after NFC and trimming. @param {string} text */
export function lengthOf(text) {
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  return [...lines.replace(CONTROLS, "").normalize("NFC").trim()].length;
}
