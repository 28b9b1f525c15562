// The day's charts: time on x, gaps as gaps, the last value labelled, the city's own time.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = [];

/** Points that have no neighbour would draw no line: show them as dots. */
function lonely(u, seriesIndex, show) {
  if (show) return null;
  const values = u.data[seriesIndex];
  return [...values.keys()].filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  );
}

function draw(figure) {
  const { times, series } = JSON.parse(figure.querySelector("script").textContent);
  const { start, end, zone } = figure.dataset;
  const plot = figure.querySelector(".plot");
  const axis = { stroke: token("--dim"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "12px Inter, system-ui, sans-serif" };
  const options = {
    width: plot.clientWidth, height: 150, legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    cursor: { y: false, points: { size: 7 }, sync: { key: "day" } },
    scales: { x: { range: [Number(start), Number(end)] }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 30, values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"]].map(([step, form]) => [step, form, null, null, null, null, null, null, 1]) },
      { ...axis, size: 44 },
    ],
    series: [
      {},
      ...series.map(({ label, tone }) => ({
        label, stroke: token(`--line-${tone}`), width: 1.75, spanGaps: false,
        points: { size: 5, filter: lonely },
      })),
    ],
  };
  const chart = new uPlot(options, [times, ...series.map((one) => one.values)], plot);
  const told = label(figure, series, times, zone);
  chart.hooks.setCursor = [(u) => told(u.cursor.idx)];
  charts.push([chart, plot]);
}

/** Says the last value, or the one under the cursor, in the figure's caption. */
function label(figure, series, times, zone) {
  const place = document.createElement("span");
  place.className = "last";
  figure.querySelector("figcaption").append(place);
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  const tell = (index) => {
    place.replaceChildren(...series.map(({ label: name, values, unit, tone }) => {
      const found = index ?? values.findLastIndex((value) => value != null);
      const part = document.createElement("span");
      const key = document.createElement("i");
      key.className = `tone-${tone}`;
      const value = values[found];
      const when = times[found] == null ? "" : ` at ${clock.format(times[found] * 1000)}`;
      part.append(key, `${name} ${value == null ? "no sample" : `${Number(value.toPrecision(3))} ${unit}`.trim()}${when}`);
      return part;
    }));
  };
  tell(null);
  return tell;
}

function all() {
  for (const [chart, plot] of charts.splice(0)) {
    chart.destroy();
    plot.parentElement.querySelector(".last")?.remove();
  }
  document.querySelectorAll(".chart").forEach(draw);
}

document.fonts.ready.then(all);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
new ResizeObserver(() => charts.forEach(([chart, plot]) => chart.setSize({ width: plot.clientWidth, height: 150 })))
  .observe(document.querySelector(".main-column") ?? document.body);
