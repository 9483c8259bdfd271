/** Whether a name is meant by what somebody types. `models/directory.py` has the same rules. No DOM. */

/** Letters that Unicode does not take apart into a plain one and a mark. */
const PLAIN = new Map(Object.entries({ ł: "l", ø: "o", đ: "d", ð: "d", ı: "i", æ: "ae", œ: "oe" }));

/** Without capitals and accents: "Zoë" and "zoe" are the same. @param {string} text */
function plain(text) {
  const bare = text.normalize("NFKD").replace(/\p{M}/gu, "");
  const small = bare.toUpperCase().toLowerCase(); // which writes ß as ss
  return [...small].map((letter) => PLAIN.get(letter) ?? letter).join("");
}

/**
 * Whether each word of what was typed is the beginning of a word of the name.
 *
 * @param {string} name
 * @param {string} typed
 */
export function isCalled(name, typed) {
  const bare = plain(name);
  const words = [...bare.split(/\s+/), ...(bare.match(/[\p{L}\p{N}_]+/gu) ?? [])];
  const starts = plain(typed).split(/\s+/);
  return starts.every((start) => words.some((word) => word.startsWith(start)));
}
