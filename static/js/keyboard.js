/**
 * Keeps the page as high as what can be seen of it while a keyboard covers its lower part.
 *
 * Android does so by itself (`interactive-widget` in layout.html). iOS lays the keyboard over the
 * page and pushes the page up, header first: so the page is made smaller and pulled down again. The
 * list hangs from its end, and stays there.
 */

/** Rounding differs between the two heights. */
const SLACK_PX = 1;

/** @param {Window} view */
export function watchKeyboard(view) {
  const viewport = view.visualViewport;
  const { style } = view.document.documentElement;
  const fit = () => {
    // Whoever zooms in sees less of the page, and wants it as it is.
    const isCovered = viewport?.scale === 1 && view.innerHeight - viewport.height > SLACK_PX;
    if (isCovered) {
      style.setProperty("--screen", `${viewport.height}px`);
      view.scrollTo(0, 0);
    } else {
      style.removeProperty("--screen");
    }
  };
  viewport?.addEventListener("resize", fit);
  viewport?.addEventListener("scroll", fit);
}
