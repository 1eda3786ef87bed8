// The state of an agent's session in a thread: working, waiting for a person, closed; Stop and rename.

import { post } from "./api.js";
import { asked } from "./dialog.js";
import { h, icon } from "./dom.js";
import { state } from "./state.js";
import { attempt } from "./toasts.js";

/** Make the small sign of a session's state, or nothing when there is nothing to say. */
export function sessionChip(session) {
  if (session?.status === "processing")
    return h(
      "span",
      { class: "chip working" },
      h("span", { class: "spinner", "aria-hidden": "true" }),
      session.note || "Working…",
    );
  if (session?.status === "suspended") return h("span", { class: "chip waiting" }, "Waiting for a person");
  if (session?.status === "closed") return h("span", { class: "chip" }, "Closed");
  return "";
}

/** Make the bar of a thread's session: title, state, Stop. */
export function sessionBar(session) {
  if (!session) return "";
  const place = { user: state.me.id, channel: session.channel, thread_ts: session.thread_ts };
  const stop =
    session.status === "processing" &&
    state.app.stoppable &&
    h(
      "button",
      { type: "button", class: "button stop", on: { click: (event) => halt(event.currentTarget, place) } },
      icon("stop"),
      "Stop",
    );
  const rename = h(
    "button",
    {
      type: "button",
      class: "session-title",
      title: `Rename “${session.title ?? ""}”`,
      on: { click: () => retitle(session, place) },
    },
    h("span", {}, session.title || "Untitled session"),
    icon("edit"),
  );
  const notes =
    session.status === "processing" && session.loading_messages?.length
      ? h("span", { class: "quiet" }, session.loading_messages[0])
      : "";
  return h("div", { class: "session-bar" }, rename, sessionChip(session), notes, stop);
}

async function halt(button, place) {
  button.disabled = true;
  await attempt(post("stop", place));
  button.disabled = false;
}

async function retitle(session, place) {
  const title = await asked("Rename session", "Title", session.title ?? "");
  if (title) attempt(post("rename", { ...place, title }));
}
