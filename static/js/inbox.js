/** `/inbox` and `/inbox/CONVERSATION_ID`: the seller's panel. A URL for each conversation. */

import { Desk } from "./desk.js";
import { filterIn, searchFor } from "./list-filter.js";
import { Shortcuts } from "./shortcuts.js";

const LIST = "/inbox";

const desk = new Desk({
  opened: (id) => {
    const path = id ? `${LIST}/${id}` : LIST;
    if (path === location.pathname) {
      return; // Back or Forward led here
    }
    if (path === LIST && history.state?.isFromList) {
      history.back();
    } else {
      const state = { isFromList: location.pathname === LIST };
      history.pushState(state, "", path + searchFor(filterIn(location.search), location.search));
    }
  },
  filtered: (filter) => {
    history.replaceState(history.state, "", location.pathname + searchFor(filter, location.search));
  },
});

new Shortcuts(desk.shelf, {
  next: () => desk.step(1),
  previous: () => desk.step(-1),
  reply: () => desk.reply(),
  back: () => desk.back(),
});

addEventListener("popstate", () => {
  const [, id] = /^\/inbox\/([0-9a-f]{24})$/.exec(location.pathname) ?? [];
  desk.filter(filterIn(location.search));
  if (id === undefined) {
    desk.leave();
  } else {
    void desk.showById(id);
  }
});
