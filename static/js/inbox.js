/** `/inbox` and `/inbox/CONVERSATION_ID`: the seller's panel. A URL for each conversation. */

import { Desk } from "./desk.js";

let isGoingBack = false;

const desk = new Desk({
  opened: (id) => {
    const path = id ? `/inbox/${id}` : "/inbox";
    if (!isGoingBack && location.pathname !== path) {
      history.pushState(null, "", path);
    }
  },
});

addEventListener("popstate", () => {
  const [, id] = /^\/inbox\/([0-9a-f]{24})$/.exec(location.pathname) ?? [];
  isGoingBack = true;
  if (id === undefined) {
    desk.leave();
  } else if (!desk.showById(id)) {
    location.reload();
  }
  isGoingBack = false;
});
