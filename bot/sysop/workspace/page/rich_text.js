// rich_text blocks: nothing in them is parsed, each piece says what it is.

import { emoji } from "./emoji.js";
import { h, link } from "./dom.js";
import { channelMention, mention, userMention } from "./mrkdwn.js";
import { formatted } from "./names.js";
import { state } from "./state.js";

/** Make the nodes of a rich_text block; lists that follow each other at deeper indents are nested by look. */
export function richText(block) {
  return h("div", { class: "rich-text" }, (block.elements ?? []).map(part));
}

const PARTS = {
  rich_text_section: (one) => h("p", {}, (one.elements ?? []).flatMap(pieces)),
  rich_text_quote: (one) => h("blockquote", {}, (one.elements ?? []).flatMap(pieces)),
  rich_text_preformatted: (one) => h("pre", { tabindex: "0" }, h("code", {}, (one.elements ?? []).map(raw))),
  rich_text_list: listOf,
};

function part(one) {
  return PARTS[one.type]?.(one) ?? "";
}

function listOf(one) {
  const ordered = one.style === "ordered";
  const props = { class: `indent-${Math.min(one.indent ?? 0, 8)}` };
  if (ordered && one.offset) props.start = one.offset + 1;
  return h(
    ordered ? "ol" : "ul",
    props,
    (one.elements ?? []).map((item) => h("li", {}, (item.elements ?? []).flatMap(pieces))),
  );
}

function raw(one) {
  if (one.type !== "link") return one.text ?? "";
  return link(one.url, one.text || one.url);
}

function pieces(one) {
  return styled(one, (PIECES[one.type] ?? (() => []))(one));
}

const PIECES = {
  text: (one) => one.text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line])),
  link: (one) => [link(one.url, one.text || one.url)],
  user: (one) => [userMention(one.user_id)],
  usergroup: (one) => [mention(`@${state.groups.get(one.usergroup_id)?.handle ?? one.usergroup_id}`)],
  channel: (one) => [channelMention(one.channel_id)],
  team: (one) => [mention(one.team_id)],
  broadcast: (one) => [mention(`@${one.range}`, true)],
  emoji: (one) => [emoji(one.name, one.unicode)],
  date: (one) => [h("time", { title: one.fallback }, formatted(one.timestamp, one.format))],
  color: (one) => [h("code", {}, one.value)],
};

const STYLES = { bold: "strong", italic: "em", strike: "s", underline: "u", code: "code" };

function styled(one, nodes) {
  return Object.entries(STYLES).reduce(
    (inner, [name, tag]) => (one.style?.[name] ? [h(tag, {}, ...inner)] : inner),
    nodes,
  );
}

/** Return the words of a rich_text block, for search and for small places. */
export function words(block) {
  const collect = (one) => one.text ?? (one.elements ?? []).map(collect).join("");
  return (block.elements ?? []).map(collect).join("\n");
}
