/**
 * The one sound: a soft bell for a message that nobody has before their eyes.
 *
 * Off until it is switched on. All tabs hear of a message; those that may make a sound wait a moment
 * for one that shows it, and then take turns under a lock, so that it rings once and at most every
 * 2 s.
 */

const SWITCH = "sound";
const LAST = "rang";
const EVERY_MS = 2_000;
const PATIENCE_MS = 300;
const CHANNEL = "shopbell-bell";

/** A bell's partials: how high above the first, how loud, and how long each lasts. */
const PITCH_HZ = 660;
const PARTIALS = [
  { ratio: 1, gain: 0.16, seconds: 1.1 },
  { ratio: 2.01, gain: 0.06, seconds: 0.7 },
  { ratio: 2.99, gain: 0.03, seconds: 0.4 },
];

/** @typedef {{seen: string} | {isOn: boolean}} Told */

export class Bell {
  #shelf;
  #tabs;
  #changed;
  #channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  /** @type {AudioContext | null} */
  #audio = null;
  /** @type {Set<string>} messages that another tab shows */
  #seen = new Set();

  /**
   * @param {import("./shelf.js").Shelf} shelf
   * @param {import("./tabs.js").Tabs} tabs
   * @param {(isOn: boolean) => void} changed in this tab or another
   */
  constructor(shelf, tabs, changed) {
    this.#shelf = shelf;
    this.#tabs = tabs;
    this.#changed = changed;
    this.#channel?.addEventListener("message", ({ data }) => this.#heard(data));
    changed(this.isOn);
  }

  get isOn() {
    return this.#shelf.get(SWITCH) === true;
  }

  /** By a click, which also gives this page leave to sound. */
  toggle() {
    const isOn = !this.isOn;
    this.#shelf.set(SWITCH, isOn);
    this.#tell({ isOn });
    this.#changed(isOn);
    if (isOn) {
      this.#ring();
    }
  }

  /**
   * A message came. @param {string} id @param {boolean} isSeen it is on this tab's screen
   */
  async arrived(id, isSeen) {
    if (!this.isOn) {
      return;
    }
    if (isSeen) {
      this.#tell({ seen: id });
      return;
    }
    if (!navigator.userActivation?.hasBeenActive) {
      return; // the browser lets only pages sound that were touched
    }
    await new Promise((done) => setTimeout(done, PATIENCE_MS));
    const isMine = !this.#seen.delete(id) && (await this.#tabs.alone("bell", () => this.#takeTurn()));
    if (isMine) {
      this.#ring();
    }
  }

  /** Whether it is long enough since the last time, in any tab. */
  #takeTurn() {
    const last = Number(this.#shelf.get(LAST));
    const now = Date.now();
    if (now - last < EVERY_MS && last <= now) {
      return false;
    }
    this.#shelf.set(LAST, now);
    return true;
  }

  #ring() {
    const audio = (this.#audio ??= new AudioContext());
    void audio.resume();
    const now = audio.currentTime;
    for (const { ratio, gain, seconds } of PARTIALS) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = PITCH_HZ * ratio;
      volume.gain.setValueAtTime(0, now);
      volume.gain.linearRampToValueAtTime(gain, now + 0.01);
      volume.gain.exponentialRampToValueAtTime(0.0001, now + seconds);
      tone.connect(volume).connect(audio.destination);
      tone.start(now);
      tone.stop(now + seconds);
    }
  }

  /** @param {Told} told */
  #heard(told) {
    if ("seen" in told) {
      this.#seen.add(told.seen);
      setTimeout(() => this.#seen.delete(told.seen), EVERY_MS);
    } else {
      this.#changed(told.isOn);
    }
  }

  /** @param {Told} told */
  #tell(told) {
    this.#channel?.postMessage(told);
  }
}
