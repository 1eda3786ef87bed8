// Blocks that hold others: cards, carousels, containers; and videos, which are shown as links.

import { h, link } from "./dom.js";
import { picture } from "./pictures.js";
import { richText } from "./rich_text.js";
import { textOf } from "./text.js";

/** Make a card. */
export function card(context, one, element) {
  const words = [
    one.title && h("strong", { class: "card-title" }, textOf(one.title)),
    one.subtitle && h("span", { class: "quiet" }, textOf(one.subtitle)),
    one.body && h("p", {}, textOf(one.body)),
    one.subtext && h("small", { class: "quiet" }, textOf(one.subtext)),
  ];
  const buttons =
    one.actions?.length &&
    h(
      "div",
      { class: "actions" },
      one.actions.map((each) => element(context, one.block_id, each)),
    );
  return h(
    "article",
    { class: "block card" },
    one.hero_image && picture(one.hero_image, "hero"),
    h(
      "div",
      { class: "card-body" },
      one.icon && picture(one.icon, "tiny"),
      h("div", { class: "card-words" }, words, buttons),
    ),
  );
}

/** Make a row of cards that scrolls sideways. */
export function carousel(context, one, element) {
  return h(
    "div",
    { class: "block carousel", tabindex: "0", role: "group", "aria-label": "Cards" },
    one.elements.map((each) => card(context, each, element)),
  );
}

/** Make a container; a collapsible one opens and closes. */
export function container(context, one, blocks) {
  const title = one.rich_text_title ? richText(one.rich_text_title) : textOf(one.title);
  const head = [
    one.icon && picture(one.icon, "tiny"),
    h("span", { class: "container-title" }, title),
    one.subtitle && h("span", { class: "quiet" }, textOf(one.subtitle)),
  ];
  const inner = h("div", { class: "container-body" }, blocks(context, one.child_blocks));
  if (!one.is_collapsible)
    return h(
      "section",
      { class: "block container" },
      h("header", { class: one.has_header_divider ? "divided" : "" }, head),
      inner,
    );
  return h("details", { class: "block container", open: !one.default_collapsed }, h("summary", {}, head), inner);
}

/** Make a video's card: its page is one click away, nothing is loaded from it. */
export function video(one) {
  return h(
    "article",
    { class: "block card" },
    h(
      "div",
      { class: "card-body" },
      h(
        "div",
        { class: "card-words" },
        h("strong", {}, link(one.title_url || one.video_url, one.title.text)),
        one.description && h("p", {}, one.description.text),
        h("small", { class: "quiet" }, one.provider_name || one.author_name || "Video"),
      ),
    ),
  );
}
