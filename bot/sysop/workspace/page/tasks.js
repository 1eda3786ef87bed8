// Plans and their tasks: a list that lives while the app works.

import { h, icon, link } from "./dom.js";
import { richText } from "./rich_text.js";

const SAID = { pending: "waiting", in_progress: "running", complete: "done", error: "failed" };

/** Make a plan with its tasks. */
export function plan(one) {
  const tasks = one.tasks ?? [];
  const done = tasks.filter((task) => task.status === "complete").length;
  const count = tasks.length ? h("span", { class: "quiet" }, `${done} of ${tasks.length}`) : "";
  return h(
    "section",
    { class: "block plan", "aria-label": one.title || "Plan" },
    h("header", {}, icon("list"), h("strong", {}, one.title || "Plan"), count),
    h(
      "ol",
      { class: "tasks" },
      tasks.map((task) => h("li", {}, row(task))),
    ),
  );
}

/** Make a task that stands alone. */
export function taskCard(one) {
  return h("div", { class: "block task-card" }, row(one));
}

function row(task) {
  const more = [
    task.details && richText(task.details),
    task.output && h("div", { class: "task-output" }, richText(task.output)),
  ].filter(Boolean);
  const sources = (task.sources ?? []).map((source) => link(source.url, source.text));
  const title = h("span", { class: "task-title" }, task.title);
  return h(
    "div",
    { class: `task task-${task.status}` },
    h("span", { class: "task-sign", role: "img", "aria-label": SAID[task.status] ?? task.status }, sign(task.status)),
    h(
      "div",
      { class: "task-body" },
      title,
      more.length > 0 && h("div", { class: "task-more" }, more),
      sources.length > 0 && h("div", { class: "task-sources" }, sources),
    ),
  );
}

function sign(status) {
  if (status === "complete") return icon("check");
  if (status === "error") return icon("close");
  return "";
}
