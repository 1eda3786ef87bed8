// Standard Markdown of `markdown` blocks and streams. Makes nodes; HTML in it stays text.

import { withEmoji } from "./emoji.js";
import { h, link } from "./dom.js";

/** Make nodes of a Markdown text; half-written text, as a stream brings it, is fine. */
export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const block = PARTS.find((part) => part.starts(lines, at));
    const [node, next] = block.make(lines, at);
    nodes.push(node);
    at = next;
  }
  return nodes;
}

const FENCE = /^\s*(```+|~~~+)\s*([\w+-]*)\s*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

const PARTS = [
  { starts: (lines, at) => FENCE.test(lines[at]), make: code },
  { starts: (lines, at) => HEADING.test(lines[at]), make: heading },
  { starts: (lines, at) => RULE.test(lines[at]), make: (lines, at) => [h("hr"), at + 1] },
  { starts: (lines, at) => QUOTE.test(lines[at]), make: quote },
  {
    starts: (lines, at) => lines[at].includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-"),
    make: table,
  },
  { starts: (lines, at) => ITEM.test(lines[at]), make: list },
  { starts: () => true, make: paragraph },
];

function code(lines, at) {
  const fence = FENCE.exec(lines[at])[1];
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(fence)) end += 1;
  return [h("pre", {}, h("code", {}, lines.slice(at + 1, end).join("\n"))), end + 1];
}

function heading(lines, at) {
  const [, marks, words] = HEADING.exec(lines[at]);
  return [h(`h${Math.min(marks.length + 2, 6)}`, { class: `md-h md-h${marks.length}` }, ...inline(words)), at + 1];
}

function quote(lines, at) {
  const inner = [];
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) inner.push(QUOTE.exec(lines[end++])[1]);
  return [h("blockquote", {}, ...markdown(inner.join("\n"))), end];
}

function cells(line) {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function table(lines, at) {
  const aligns = cells(lines[at + 1]).map((mark) =>
    mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "right") : "left",
  );
  const row = (line, tag) =>
    h(
      "tr",
      {},
      cells(line).map((cell, index) => h(tag, { class: `align-${aligns[index] ?? "left"}` }, ...inline(cell))),
    );
  let end = at + 2;
  const body = [];
  while (end < lines.length && lines[end].includes("|") && lines[end].trim()) body.push(row(lines[end++], "td"));
  return [
    h("div", { class: "table-wrap" }, h("table", {}, h("thead", {}, row(lines[at], "th")), h("tbody", {}, body))),
    end,
  ];
}

function list(lines, at) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const found = ITEM.exec(lines[end]);
    if (!found || found[1].length < indent.length || /\d/.test(found[2]) !== ordered) break;
    const [text, inner, next] = item(lines, end, found);
    items.push(h("li", {}, checkbox(text), ...(inner.length ? markdown(inner.join("\n")) : [])));
    end = next;
  }
  const start = ordered ? Number.parseInt(mark, 10) : undefined;
  return [h(ordered ? "ol" : "ul", ordered && start !== 1 ? { start } : {}, items), end];
}

function item(lines, at, found) {
  const depth = found[1].length;
  const inner = [];
  let end = at + 1;
  let text = found[3];
  while (end < lines.length) {
    const line = lines[end];
    const width = line.length - line.trimStart().length;
    if (!line.trim()) {
      const next = lines[end + 1] ?? "";
      if (next.length - next.trimStart().length <= depth) break;
    } else if (width <= depth) break;
    if (!inner.length && line.trim() && !ITEM.test(line) && !FENCE.test(line)) text += ` ${line.trim()}`;
    else inner.push(line.slice(Math.min(width, depth + 2)));
    end += 1;
  }
  return [text, inner, end];
}

function checkbox(text) {
  const found = /^\[([ xX])\]\s+(.*)$/.exec(text);
  if (!found) return inline(text);
  return [h("input", { type: "checkbox", disabled: true, checked: found[1] !== " " }), " ", ...inline(found[2])];
}

function paragraph(lines, at) {
  let end = at + 1;
  while (
    end < lines.length &&
    lines[end].trim() &&
    PARTS.findIndex((part) => part.starts(lines, end)) === PARTS.length - 1
  )
    end += 1;
  const words = lines
    .slice(at, end)
    .map((line) => line.trim())
    .flatMap((line, index) => (index ? [h("br"), ...inline(line)] : inline(line)));
  return [h("p", {}, words), end];
}

const TOKEN = new RegExp(
  [
    String.raw`(?<escape>\\[\\\x60*_{}[\]()#+.!|~>\-])`,
    String.raw`(?<code>\x60+)(?<source>[^\x60]+)\k<code>`,
    String.raw`!?\[(?<label>[^\]]*)\]\((?<target>[^()\s]+(?:\([^()\s]*\))?)(?:\s+"[^"]*")?\)`,
    String.raw`<(?<auto>https?:\/\/[^<>\s]+)>`,
    String.raw`(?<bare>https?:\/\/[^\s<>()]+)`,
    String.raw`(?<bold>\*\*|__)(?=\S)(?<strong>.+?)(?<=\S)\k<bold>`,
    String.raw`~~(?=\S)(?<strike>.+?)(?<=\S)~~`,
    String.raw`(?<mark>\*|(?<![\p{L}\p{N}])_)(?=\S)(?<em>[^*_]+?)(?<=\S)\k<mark>(?![\p{L}\p{N}])`,
  ].join("|"),
  "gu",
);

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(TOKEN)) {
    if (found.index > from) nodes.push(withEmoji(text.slice(from, found.index)));
    nodes.push(styled(found.groups));
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(withEmoji(text.slice(from)));
  return nodes;
}

function styled(found) {
  if (found.escape) return found.escape.slice(1);
  if (found.source !== undefined) return h("code", {}, found.source.trim() || found.source);
  if (found.target) return link(found.target, ...inline(found.label));
  if (found.auto ?? found.bare) return link(found.auto ?? found.bare);
  if (found.strong) return h("strong", {}, ...inline(found.strong));
  if (found.strike) return h("s", {}, ...inline(found.strike));
  return h("em", {}, ...inline(found.em));
}
