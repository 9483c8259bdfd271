/** Whether a text is a few emoji and nothing else. No DOM. */

const AT_MOST = 6;
/** Longer texts are not looked at: six families of four with skin tones are shorter. */
const CHARACTERS = 200;

// One emoji as people see it, joined families and flags included. Built at run time: an older browser
// does not know the flag "v", and then shows emoji in their usual size.
const emoji = (() => {
  try {
    return new RegExp("^\\p{RGI_Emoji}$", "v");
  } catch {
    return null;
  }
})();

/** @param {string} text */
export function isEmojiAlone(text) {
  if (emoji === null || text === "" || text.length > CHARACTERS) {
    return false;
  }
  const signs = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  const seen = signs.filter((sign) => sign.trim() !== "");
  return seen.length <= AT_MOST && seen.length > 0 && seen.every((sign) => emoji.test(sign));
}
