/** `/inbox/widget`: the panel's small chat, for a corner of somebody's screen. */

import { Desk } from "./desk.js";

new Desk();
