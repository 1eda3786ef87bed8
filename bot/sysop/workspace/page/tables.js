// Tables: plain ones as they are, data tables with a caption, pages and sorting.

import { fill, h, iconButton } from "./dom.js";
import { richText, words } from "./rich_text.js";

function cell(one, tag, className) {
  const numeric = one.type === "raw_number" ? "align-right" : "";
  return h(
    tag,
    { class: `${className} ${numeric}`.trim() || undefined },
    one.type === "rich_text" ? richText(one) : one.text,
  );
}

/** Make a table; its first row is its heading. */
export function table(one) {
  const settings = one.column_settings ?? [];
  const style = (index) =>
    [`align-${settings[index]?.align ?? "left"}`, settings[index]?.is_wrapped ? "wrapped" : ""].join(" ").trim();
  const row = (cells, tag) =>
    h(
      "tr",
      {},
      cells.map((each, index) => cell(each, tag, style(index))),
    );
  const [head, ...body] = one.rows;
  return h(
    "div",
    { class: "block table-wrap", tabindex: "0" },
    h(
      "table",
      {},
      h("thead", {}, row(head ?? [], "th")),
      h(
        "tbody",
        {},
        body.map((cells) => row(cells, "td")),
      ),
    ),
  );
}

/** Make a data table: a click on a heading sorts, and long ones have pages. */
export function dataTable(one) {
  const [head, ...all] = one.rows;
  const size = one.page_size ?? 5;
  let rows = all;
  let page = 0;
  let order = { column: -1, up: true };
  const body = h("tbody");
  const foot = h("div", { class: "pages" });
  const show = () => {
    const pages = Math.max(1, Math.ceil(rows.length / size));
    const line = (cells) =>
      h(
        "tr",
        {},
        cells.map((each, index) => cell(each, index === (one.row_header_column_index ?? 0) ? "th" : "td", "")),
      );
    fill(body, rows.slice(page * size, (page + 1) * size).map(line));
    fill(
      foot,
      pages > 1 && [
        iconButton("back", "Page before", () => turn(-1)),
        `${page + 1} of ${pages}`,
        iconButton("back", "Next page", () => turn(1), "flip"),
      ],
    );
  };
  const turn = (step) => {
    page = Math.max(0, Math.min(page + step, Math.ceil(rows.length / size) - 1));
    show();
  };
  const sort = (column) => {
    order = { column, up: order.column === column ? !order.up : true };
    rows = [...all].sort((a, b) => compare(a[column], b[column]) * (order.up ? 1 : -1));
    page = 0;
    show();
  };
  const numeric = (index) => all.length > 0 && all.every((cells) => cells[index]?.type === "raw_number");
  const heading = (each, index) =>
    h(
      "th",
      { scope: "col", class: numeric(index) ? "align-right" : undefined },
      h("button", { type: "button", class: "sort", on: { click: () => sort(index) } }, each.text),
    );
  show();
  return h(
    "figure",
    { class: "block data-table" },
    h("figcaption", {}, one.caption),
    h(
      "div",
      { class: "table-wrap", tabindex: "0" },
      h("table", {}, h("thead", {}, h("tr", {}, head.map(heading))), body),
    ),
    foot,
  );
}

function compare(a, b) {
  if (a.type === "raw_number" && b.type === "raw_number") return a.value - b.value;
  const text = (one) => (one.type === "rich_text" ? words(one) : one.text);
  return text(a).localeCompare(text(b), undefined, { numeric: true });
}
