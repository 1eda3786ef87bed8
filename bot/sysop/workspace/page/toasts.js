// Short notices that go away by themselves; the ones about trouble stay longer.

import { Refused } from "./api.js";
import { h, icon } from "./dom.js";

const root = document.getElementById("toasts");

/** Show a notice, unless the same one is there. `kind` is info, good or error. */
export function toast(text, kind = "info") {
  if ([...root.children].some((one) => one.dataset.text === text)) return;
  const close = () => notice.remove();
  const sign = kind === "error" ? "alert" : kind === "good" ? "check" : "info";
  const notice = h(
    "div",
    { class: `toast ${kind}`, data: { text } },
    icon(sign),
    h("span", {}, text),
    h("button", { type: "button", "aria-label": "Dismiss", on: { click: close } }, "×"),
  );
  root.append(notice);
  while (root.children.length > 4) root.firstElementChild.remove();
  setTimeout(close, kind === "error" ? 9000 : 4500);
}

/** Run something of the server's and tell why it was refused, if it was. Returns the answer or null. */
export async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.message, "error");
    return null;
  }
}
