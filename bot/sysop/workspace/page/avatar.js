// A round or square patch with initials, in the same colour for the same name.

import { h } from "./dom.js";
import { authorOf, colourOf, initials, nameOf } from "./names.js";
import { state } from "./state.js";

/** Make somebody's avatar; an app's is square and shows a sign of its own. */
export function avatar(id, size = "") {
  const user = state.users.get(id);
  return patch(nameOf(id), user?.is_bot, size);
}

/** Make the avatar of a message's author. */
export function authorAvatar(message) {
  return patch(authorOf(message), Boolean(message.bot_id), "");
}

function patch(name, isApp, size) {
  const classes = ["avatar", size, isApp ? "robot" : colourOf(name)].filter(Boolean).join(" ");
  return h("span", { class: classes, "aria-hidden": "true" }, initials(name));
}

/** Make the badges of a person's roles. */
export function badges(names) {
  return names.map((name) => h("span", { class: `badge badge-${name.replace(/\W/g, "")}` }, name));
}
