// Charts, drawn small, with the same values in a table for those who cannot see them.

import { h, svg } from "./dom.js";

const WIDTH = 420;
const HEIGHT = 170;
const BASE = 150;

/** Make a chart. */
export function chart(one) {
  const draw = { pie, bar, line: (c) => lines(c, false), area: (c) => lines(c, true) }[one.chart.type];
  const names =
    one.chart.type === "pie" ? one.chart.segments.map((part) => part.label) : one.chart.series.map((part) => part.name);
  return h(
    "figure",
    { class: "block chart" },
    h("figcaption", {}, one.title),
    draw?.(one.chart),
    legend(names),
    values(one.chart),
  );
}

function legend(names) {
  return h(
    "div",
    { class: "legend", "aria-hidden": "true" },
    names.map((name, index) => h("span", {}, h("i", { class: `swatch s${index % 6}` }), name)),
  );
}

function values(one) {
  const rows =
    one.type === "pie"
      ? one.segments.map((part) => [part.label, part.value])
      : one.series.flatMap((part) => part.data.map((point) => [`${part.name}, ${point.label}`, point.value]));
  return h(
    "table",
    { class: "for-ears" },
    rows.map(([name, value]) => h("tr", {}, h("th", {}, name), h("td", {}, String(value)))),
  );
}

function frame(...children) {
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "drawing", "aria-hidden": "true" }, children);
}

function pie(one) {
  const total = one.segments.reduce((sum, part) => sum + part.value, 0) || 1;
  let from = -Math.PI / 2;
  const parts = one.segments.map((part, index) => {
    const to = from + (part.value / total) * 2 * Math.PI * 0.9999;
    const at = (angle) => `${210 + 75 * Math.cos(angle)} ${85 + 75 * Math.sin(angle)}`;
    const path = svg("path", {
      class: `s${index % 6}`,
      d: `M210 85 L${at(from)} A75 75 0 ${to - from > Math.PI ? 1 : 0} 1 ${at(to)} Z`,
    });
    from = to;
    return path;
  });
  return frame(parts);
}

function scale(one) {
  const all = one.series.flatMap((part) => part.data.map((point) => point.value));
  const most = Math.max(...all, 0);
  const least = Math.min(...all, 0);
  return (value) => 10 + ((most - value) / (most - least || 1)) * (BASE - 10);
}

function labels(one) {
  const step = WIDTH / one.axis_config.categories.length;
  return one.axis_config.categories.map((name, index) =>
    svg("text", { x: (index + 0.5) * step, y: HEIGHT - 4, "text-anchor": "middle" }, name),
  );
}

function ordered(one, part) {
  return one.axis_config.categories.map((name) => part.data.find((point) => point.label === name)?.value ?? 0);
}

function bar(one) {
  const y = scale(one);
  const step = WIDTH / one.axis_config.categories.length;
  const width = (step * 0.7) / one.series.length;
  const bars = one.series.flatMap((part, row) =>
    ordered(one, part).map((value, index) => {
      const top = Math.min(y(value), y(0));
      return svg("rect", {
        class: `s${row % 6}`,
        x: index * step + step * 0.15 + row * width,
        y: top,
        width: Math.max(1, width - 2),
        height: Math.max(1, Math.abs(y(value) - y(0))),
        rx: 2,
      });
    }),
  );
  return frame(bars, labels(one));
}

function lines(one, filled) {
  const y = scale(one);
  const step = WIDTH / one.axis_config.categories.length;
  const paths = one.series.map((part, row) => {
    const points = ordered(one, part).map((value, index) => `${(index + 0.5) * step} ${y(value)}`);
    const last = (one.axis_config.categories.length - 0.5) * step;
    const d = `M${points.join(" L")}`;
    return filled
      ? svg("path", { class: `area s${row % 6}`, d: `${d} L${last} ${y(0)} L${step / 2} ${y(0)} Z` })
      : svg("path", { class: `stroke s${row % 6}`, d });
  });
  return frame(paths, labels(one));
}
