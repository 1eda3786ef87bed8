// Slack's mrkdwn: text objects and messages. Makes nodes; whatever is not markup stays text.

import { emoji, withEmoji } from "./emoji.js";
import { h, link } from "./dom.js";
import { formatted, nameOf } from "./names.js";
import { state } from "./state.js";

const ENTITY = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/** Return text as it was before it was escaped for Slack. */
export function unescaped(text) {
  return text.replace(/&(amp|lt|gt);/g, (whole) => ENTITY[whole]);
}

/** Return stored text as somebody would type it, to be edited. */
export function typedAgain(text) {
  const typed = text.replace(/<([@#!])?([^<>|]+)(?:\|([^<>]*))?>/g, (whole, kind, target, label) => {
    if (kind === "@") return `@${state.users.get(target)?.name ?? target}`;
    if (kind === "#") return `#${state.channels.get(target)?.name ?? target}`;
    return kind === "!" ? label || `@${target}` : target;
  });
  return unescaped(typed);
}

/** Make a mention of a person, a group, a channel or everybody. */
export function mention(words, me = false) {
  return h("span", { class: me ? "mention me" : "mention" }, words);
}

/** Make a mention of a person. */
export function userMention(id, label) {
  return mention(`@${label || nameOf(id)}`, id === state.me?.id);
}

/** Make a mention of a channel; a click goes there. */
export function channelMention(id, label) {
  const channel = state.channels.get(id);
  return h("span", { class: "mention", data: { goto: id } }, `#${channel?.name || label || id}`);
}

/** Make nodes of mrkdwn text. */
export function mrkdwn(text) {
  return fenced(text).flatMap((part) =>
    part.code === undefined ? lines(part.text) : [h("pre", {}, h("code", {}, plain(part.code)))],
  );
}

/** Make nodes of plain text: emoji names and line breaks, nothing else. */
export function plainText(text, withNames = true) {
  return withBreaks([withNames ? withEmoji(text) : text]);
}

function plain(text) {
  return unescaped(text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (whole, target, label) => label || target));
}

function fenced(text) {
  const parts = [];
  let rest = text;
  for (;;) {
    const found = /```\n?([\s\S]*?)```\n?/.exec(rest);
    if (!found) break;
    if (found.index) parts.push({ text: rest.slice(0, found.index).replace(/\n$/, "") });
    parts.push({ code: found[1].replace(/\n$/, "") });
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) parts.push({ text: rest });
  return parts;
}

function lines(text) {
  const nodes = [];
  let quote = [];
  const close = () => {
    if (quote.length) nodes.push(h("blockquote", {}, withBreaks([inline(quote.join("\n"))].flat())));
    quote = [];
  };
  let plainLines = [];
  const flush = () => {
    if (plainLines.length) nodes.push(...withBreaks(inline(plainLines.join("\n"))));
    plainLines = [];
  };
  for (const line of text.split("\n")) {
    const quoted = /^(?:&gt;|>)\s?(.*)$/.exec(line);
    if (quoted) {
      flush();
      quote.push(quoted[1]);
    } else {
      close();
      plainLines.push(line);
    }
  }
  close();
  flush();
  return nodes;
}

function withBreaks(nodes) {
  return nodes.flatMap((node) => {
    if (typeof node !== "string") return [node];
    return node.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
  });
}

const EDGE_BEFORE = /[\s([{"'.,:;!?/*_~-]|^$/;
const TOKEN = /(`[^`\n]+`)|<([^<>\n|]+)(?:\|([^<>\n]*))?>|(\*[^*\n]+\*)|(_[^_\n]+_)|(~[^~\n]+~)|(:[a-z0-9_+-]+:)/g;
const STYLES = { "*": "strong", _: "em", "~": "s" };

function inline(text) {
  const nodes = [];
  let from = 0;
  TOKEN.lastIndex = 0;
  const finder = new RegExp(TOKEN);
  for (let found = finder.exec(text); found; found = finder.exec(text)) {
    const node = token(found, text);
    if (node === undefined) {
      finder.lastIndex = found.index + 1;
      continue;
    }
    if (found.index > from) nodes.push(unescaped(text.slice(from, found.index)));
    nodes.push(node);
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(unescaped(text.slice(from)));
  return nodes;
}

function token(found, text) {
  const [whole, code, target, label, bold, italic, strike, name] = found;
  if (code) return h("code", {}, plain(code.slice(1, -1)));
  if (target) return reference(target, label);
  if (name) {
    const shown = emoji(name.slice(1, -1));
    return shown === name ? undefined : shown;
  }
  const styled = bold ?? italic ?? strike;
  const before = found.index ? text[found.index - 1] : "";
  const after = text[found.index + whole.length] ?? "";
  const inner = styled.slice(1, -1);
  if (!EDGE_BEFORE.test(before) || /[\p{L}\p{N}]/u.test(after) || inner !== inner.trim()) return undefined;
  return h(STYLES[styled[0]], {}, ...inline(inner));
}

function reference(target, label) {
  const words = label ? unescaped(label) : "";
  const kind = target[0];
  if (kind === "@") return userMention(target.slice(1), words.replace(/^@/, ""));
  if (kind === "#") return channelMention(target.slice(1), words);
  if (kind !== "!") return link(unescaped(target), words);
  const [what, argument, ...rest] = target.slice(1).split("^");
  if (what === "date") return h("time", { title: words }, formatted(Number(argument), rest[0] ?? "{date} {time}"));
  if (what === "subteam") return mention(words || `@${state.groups.get(argument)?.handle ?? argument}`);
  if (["here", "channel", "everyone"].includes(what)) return mention(`@${what}`, true);
  return words || `<${target}>`;
}
