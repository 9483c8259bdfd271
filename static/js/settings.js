/** The page of settings: the preview follows the form at once, and a large logo is made small. */

import { find, part } from "./parts.js";
import { words } from "./words.js";

const SHADES_MS = 250; // a hand that drags over colours asks no more often than this
const FILE_BYTES = 56 * 1024; // of the 64 KiB that a whole form may have
const SIDES = [512, 384, 256, 160, 96]; // a logo is 256 in the end
const SAMPLE_SIDE = 128;

/** The preview, in both schemes. */
class Preview {
  #samples = ["light", "dark"].map((scheme) => part(document, `sample-${scheme}`, HTMLElement));
  #greetings = ["light", "dark"].map((scheme) => part(document, `greeting-${scheme}`, HTMLElement));
  #shades = part(document, "shades", HTMLLinkElement);
  /** @type {HTMLCanvasElement[]} */
  #logos = [];
  #timer = 0;
  #wanted = "";

  /** @param {(light: string, dark: string) => void} onShades is told of the fills that are shown */
  constructor(onShades) {
    this.#shades.addEventListener("load", () => {
      const [light, dark] = this.#samples.map((sample) =>
        getComputedStyle(sample).getPropertyValue("--raw-accent").trim(),
      );
      onShades(light, dark);
    });
  }

  /** @param {string} accent */
  showAccent(accent) {
    this.#wanted = `/inbox/settings/preview.css?accent=${encodeURIComponent(accent)}`;
    this.#timer ||= window.setTimeout(() => {
      this.#timer = 0;
      if (this.#shades.getAttribute("href") !== this.#wanted) {
        this.#shades.setAttribute("href", this.#wanted);
      }
    }, SHADES_MS);
  }

  /** @param {string} greeting */
  showGreeting(greeting) {
    for (const element of this.#greetings) {
      element.textContent = greeting;
    }
  }

  /** @param {string} corner */
  showCorner(corner) {
    for (const sample of this.#samples) {
      sample.dataset.corner = corner;
    }
  }

  /** @param {ImageBitmap} picture */
  showLogo(picture) {
    this.forgetLogo();
    const side = Math.min(picture.width, picture.height);
    const from = [(picture.width - side) / 2, (picture.height - side) / 2];
    for (const sample of this.#samples) {
      const canvas = document.createElement("canvas");
      canvas.className = "avatar__logo";
      canvas.width = canvas.height = SAMPLE_SIDE;
      const pen = canvas.getContext("2d");
      pen?.drawImage(picture, from[0], from[1], side, side, 0, 0, SAMPLE_SIDE, SAMPLE_SIDE);
      find(sample, ".avatar", HTMLElement).append(canvas);
      this.#logos.push(canvas);
    }
  }

  /** Back to the logo that is stored. */
  forgetLogo() {
    for (const canvas of this.#logos.splice(0)) {
      canvas.remove();
    }
  }

  /** @param {boolean} isShown */
  showStoredLogo(isShown) {
    for (const sample of this.#samples) {
      const logo = sample.querySelector("img.avatar__logo");
      logo?.toggleAttribute("hidden", !isShown);
    }
  }
}

/** The accent, as text and as a well of colour, of which the text counts. */
class AccentField {
  #text = part(document, "accent", HTMLInputElement);
  #well = part(document, "well", HTMLInputElement);
  #note = part(document, "mended", HTMLElement);
  #preview;

  /** @param {Preview} preview */
  constructor(preview) {
    this.#preview = preview;
    this.#well.hidden = false;
    this.#well.addEventListener("input", () => {
      this.#text.value = this.#well.value;
      this.#show();
    });
    this.#text.addEventListener("input", () => this.#show());
  }

  /** @param {string} light @param {string} dark */
  tell(light, dark) {
    const accent = hexOf(this.#text.value);
    const isMended = accent !== null && (light !== accent || dark !== accent);
    this.#note.textContent = isMended ? words.mended(light, dark) : words.readable;
  }

  #show() {
    const accent = hexOf(this.#text.value);
    if (accent !== null) {
      this.#well.value = accent;
      this.#preview.showAccent(accent);
      setProblem("accent", this.#text, "");
    }
  }
}

/** The logo's file: shown before it is sent, and small enough to be sent. */
class LogoField {
  #input = part(document, "logo", HTMLInputElement);
  #save = part(document, "save", HTMLButtonElement);
  #preview;
  #chosen = 0;

  /** @param {Preview} preview */
  constructor(preview) {
    this.#preview = preview;
    this.#input.addEventListener("change", () => void this.#take());
    const remove = document.querySelector('[data-part="remove-logo"]');
    if (remove instanceof HTMLInputElement) {
      remove.addEventListener("change", () => preview.showStoredLogo(!remove.checked));
    }
  }

  async #take() {
    const choice = ++this.#chosen;
    const file = this.#input.files?.[0];
    this.#preview.forgetLogo();
    setProblem("logo", this.#input, "");
    if (file === undefined) {
      return;
    }
    this.#save.disabled = true; // until the file is small
    try {
      const picture = await createImageBitmap(file);
      const small = file.size > FILE_BYTES ? await shrunk(picture) : file;
      if (choice === this.#chosen) {
        this.#input.files = filesOf(small);
        this.#preview.showLogo(picture);
      }
    } catch {
      if (choice === this.#chosen) {
        this.#input.value = "";
        setProblem("logo", this.#input, words.noPicture);
      }
    } finally {
      if (choice === this.#chosen) {
        this.#save.disabled = false;
      }
    }
  }
}

/**
 * A picture as a file that can be sent, as large as it can be.
 *
 * @param {ImageBitmap} picture
 * @returns {Promise<File>}
 */
async function shrunk(picture) {
  for (const side of SIDES) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const pen = canvas.getContext("2d");
    if (pen !== null) {
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    }
    /** @type {Blob | null} */
    const blob = await new Promise((done) => canvas.toBlob(done, "image/webp", 0.9));
    if (blob !== null && blob.size <= FILE_BYTES) {
      return new File([blob], "logo", { type: blob.type });
    }
  }
  throw new Error("The picture stays too large.");
}

/** @param {File} file */
function filesOf(file) {
  const transfer = new DataTransfer();
  transfer.items.add(file);
  return transfer.files;
}

/**
 * @param {string} name
 * @param {HTMLElement} field
 * @param {string} problem
 */
function setProblem(name, field, problem) {
  const element = part(document, `${name}-problem`, HTMLElement);
  element.textContent = problem;
  element.hidden = problem === "";
  field.toggleAttribute("aria-invalid", false);
  if (problem !== "") {
    field.setAttribute("aria-invalid", "true");
  }
}

/**
 * The colour that somebody typed, as the server understands it, or null.
 *
 * @param {string} text
 */
function hexOf(text) {
  const digits = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text.trim())?.[1].toLowerCase();
  if (digits === undefined) {
    return null;
  }
  return `#${digits.length === 6 ? digits : digits.replace(/./g, "$&$&")}`;
}

const preview = new Preview((light, dark) => accent.tell(light, dark));
const accent = new AccentField(preview);
new LogoField(preview);

const greeting = part(document, "greeting", HTMLTextAreaElement);
greeting.addEventListener("input", () =>
  preview.showGreeting(greeting.value.trim() || greeting.placeholder),
);
const corner = part(document, "corner", HTMLFieldSetElement);
corner.addEventListener("change", (event) => {
  if (event.target instanceof HTMLInputElement) {
    preview.showCorner(event.target.value);
  }
});

const form = part(document, "form", HTMLFormElement);
form.addEventListener("input", () => document.querySelector('[data-part="saved"]')?.remove());
