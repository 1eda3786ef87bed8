// Files of a message: pictures shown, texts previewed, everything else named.

import { fileAddress, fileText } from "./api.js";
import { fill, h, icon } from "./dom.js";

const PREVIEW = 12;
const TEXT_TYPE = /^text\/|json|yaml|xml|javascript/;
const TEXT_NAME = /\.(log|txt|md|ya?ml|json|csv|diff|patch|ini|toml|conf|sh|py)$/i;

/** Make the files of a message. */
export function fileList(files) {
  return h("div", { class: "files" }, files.map(file));
}

function file(one) {
  if (one.mimetype?.startsWith("image/") && one.mimetype !== "image/svg+xml") {
    return h(
      "figure",
      { class: "figure" },
      h("figcaption", {}, name(one)),
      h("img", { class: "picture large", src: fileAddress(one.id), alt: one.alt_txt || one.title, loading: "lazy" }),
    );
  }
  const textual = TEXT_TYPE.test(one.mimetype ?? "") || TEXT_NAME.test(one.name ?? "");
  const head = h(
    "div",
    { class: "file-head" },
    icon("file"),
    name(one),
    h("span", { class: "quiet" }, size(one.size ?? 0)),
  );
  const body = h("div", {});
  if (textual) preview(one, body);
  return h("div", { class: "file" }, head, body);
}

function name(one) {
  return h("a", { href: fileAddress(one.id), download: one.name, class: "file-name" }, one.title || one.name);
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
}

async function preview(one, body) {
  const text = await fileText(one.id).catch(() => "");
  const lines = text.split("\n");
  const code = h("code", {}, lines.slice(0, PREVIEW).join("\n"));
  const more =
    lines.length > PREVIEW &&
    h(
      "button",
      {
        type: "button",
        class: "link",
        on: {
          click: () => {
            code.textContent = text;
            more.remove();
          },
        },
      },
      `Show all ${lines.length} lines`,
    );
  fill(body, h("pre", { tabindex: "0" }, code), more);
  body.dispatchEvent(new Event("grown", { bubbles: true }));
}
