// Pictures. The page loads nothing from outside: a picture elsewhere is shown as a link to it.

import { fileAddress } from "./api.js";
import { h, icon, link } from "./dom.js";

/** Make the picture of an image element or block. */
export function picture(one, className) {
  const own = ownAddress(one);
  if (own) return h("img", { class: `picture ${className}`, src: own, alt: one.alt_text ?? "", loading: "lazy" });
  const words = one.alt_text || "Picture";
  const away = one.image_url ? link(one.image_url, words) : words;
  return h(
    "span",
    { class: `picture away ${className}`, role: "img", "aria-label": words, title: one.image_url ?? words },
    icon("file"),
    h("span", {}, away),
  );
}

function ownAddress(one) {
  const id = one.slack_file?.id ?? /\/files-pri\/([^/]+)\//.exec(one.slack_file?.url ?? "")?.[1];
  if (id) return fileAddress(id);
  return one.image_url?.startsWith("data:image/") ? one.image_url : "";
}
