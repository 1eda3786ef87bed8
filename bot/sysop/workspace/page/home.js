// App Home: a view of the app's, one for each person.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { viewContext } from "./contexts.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { state } from "./state.js";
import { attempt } from "./toasts.js";

/** Fill the main pane with App Home. Returns how to keep it up to date. */
export async function showHome(pane, go) {
  const body = h("div", { class: "home-body" });
  const tabs = h(
    "div",
    { class: "tabs", role: "group", "aria-label": "Tabs" },
    h("button", { type: "button", "aria-current": "page" }, "Home"),
    state.app.messages_tab && h("button", { type: "button", on: { click: () => go.dm() } }, "Messages"),
  );
  const head = h(
    "header",
    { class: "pane-head" },
    iconButton("back", "Back to channels", () => go.sidebar(), "only-narrow"),
    h("h1", {}, icon("home"), state.app.name),
    tabs,
  );
  fill(pane, h("section", { class: "pane home", "aria-label": `${state.app.name} Home` }, head, body));

  const render = () => {
    const held = document.activeElement?.closest("[data-block]")?.dataset.block;
    if (state.home) fill(body, h("div", { class: "content" }, blocks(viewContext(state.home), state.home.blocks)));
    else
      fill(
        body,
        h("div", { class: "empty" }, h("p", { class: "quiet" }, `${state.app.name} has not published its Home yet.`)),
      );
    if (held) body.querySelector(`[data-block="${CSS.escape(held)}"] :is(button, input, select, textarea)`)?.focus();
  };
  render();
  const answer = await attempt(post("open_home", { user: state.me.id }));
  state.home ??= answer?.home ?? null;
  render(); // it may have been published while this waited
  return { render, focus: () => head.querySelector("button")?.focus() };
}
