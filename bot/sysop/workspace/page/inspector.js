// The inspector: every envelope, Web API call, refusal and fault, newest at the end.

import { get } from "./api.js";
import { fill, h, iconButton } from "./dom.js";
import { attempt } from "./toasts.js";

const KINDS = {
  all: () => true,
  calls: (one) => ["api", "response_url", "upload"].includes(one.kind),
  deliveries: (one) => ["envelope", "ack", "socket", "http"].includes(one.kind),
  refused: (one) => wrong(one),
};
const EVERY = 1000;
const MOST = 400;

/** Fill the panel and follow the log until it is closed. Returns how to end it. */
export function showInspector(panel, close) {
  let last = 0;
  let kind = "all";
  let wanted = "";
  const entries = [];
  const list = h("ol", { class: "log", "aria-label": "What went over the wire", tabindex: "0" });
  const pick = (name) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(name === kind),
        on: {
          click: () => {
            kind = name;
            draw();
            tabs();
          },
        },
      },
      name,
    );
  const bar = h("div", { class: "tabs", role: "group", "aria-label": "Show" });
  const tabs = () => fill(bar, Object.keys(KINDS).map(pick));
  const search = h("input", { class: "field", type: "search", placeholder: "Filter", "aria-label": "Filter the log" });
  search.addEventListener("input", () => {
    wanted = search.value.toLowerCase();
    draw();
  });
  const fits = (one) => KINDS[kind](one) && (!wanted || JSON.stringify(one).toLowerCase().includes(wanted));
  const draw = () => fill(list, entries.filter(fits).slice(-MOST).map(row));
  const follow = async () => {
    const stick = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    const body = await attempt(get("log", { after: last }));
    if (body?.entries.length) {
      last = body.entries.at(-1).n;
      entries.push(...body.entries);
      entries.splice(0, Math.max(0, entries.length - 2000));
      list.append(...body.entries.filter(fits).map(row));
      while (list.children.length > MOST) list.firstElementChild.remove();
      if (stick) list.scrollTop = list.scrollHeight;
    }
  };
  tabs();
  fill(
    panel,
    h(
      "section",
      { class: "pane" },
      h(
        "header",
        { class: "pane-head" },
        iconButton("back", "Back", close, "only-narrow"),
        h("h2", {}, "Inspector"),
        iconButton("close", "Close inspector", close, "only-wide"),
      ),
      h("div", { class: "inspector-bar" }, bar, search),
      list,
    ),
  );
  follow();
  const timer = setInterval(follow, EVERY);
  search.focus();
  return () => clearInterval(timer);
}

function wrong(one) {
  if (one.kind === "refused" || one.kind === "fault") return true;
  if (one.kind === "ack") return Boolean(one.reason) || one.late === true;
  return one.answer?.ok === false || (typeof one.status === "number" && one.status >= 400);
}

function row(one) {
  const { n, at, kind, ...facts } = one;
  const time = new Date(at * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const bad = wrong(one);
  const details = h(
    "details",
    {},
    h(
      "summary",
      {},
      h("time", {}, time),
      h("span", { class: `tag tag-${kind}` }, kind),
      h("span", { class: "log-words" }, ...summary(one)),
      bad && h("span", { class: "tag tag-refused" }, reason(one)),
    ),
  );
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1)
      details.append(h("pre", { tabindex: "0" }, h("code", {}, JSON.stringify(facts, null, 2))));
  });
  return h("li", { class: bad ? "bad" : "" }, details);
}

function summary(one) {
  if (one.kind === "api") return [one.method];
  if (one.kind === "envelope") return [payloadName(one), one.attempt ? ` (attempt ${one.attempt + 1})` : ""];
  if (one.kind === "ack") return [one.type ?? "", one.milliseconds === undefined ? "" : ` ${one.milliseconds} ms`];
  return [one.event ?? one.method ?? one.delivery ?? one.error ?? "", one.count === undefined ? "" : ` ${one.count}`];
}

function payloadName(one) {
  const payload = one.payload ?? {};
  if (payload.event) return [payload.event.type, payload.event.subtype].filter(Boolean).join(" · ");
  if (payload.command) return `${payload.command} ${payload.text ?? ""}`;
  const action = payload.actions?.[0]?.action_id ?? payload.view?.callback_id ?? payload.callback_id ?? "";
  return [payload.type ?? one.type, action].filter(Boolean).join(" · ");
}

function reason(one) {
  return one.answer?.error || one.error || one.reason || one.fault || String(one.status ?? "refused");
}
