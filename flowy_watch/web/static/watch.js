// Small things that the pages do not need: no refresh where nothing changed, and a chart that can be zoomed.
"use strict";

document.addEventListener("htmx:configRequest", (event) => {
  const seen = document.getElementById("seen");
  if (event.detail.path.startsWith("/live") && seen) event.detail.parameters.seen = seen.dataset.seen;
});

// While somebody fills in the search form the list stays as it is.
document.addEventListener("htmx:beforeRequest", (event) => {
  const at = document.activeElement;
  if (document.hidden || (at && at.closest && at.closest(".tools"))) event.preventDefault();
});

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure[data-series]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Zoom";
    button.addEventListener("click", () => zoom(figure, button));
    figure.append(button);
  }
});

async function zoom(figure, button) {
  button.disabled = true;
  try {
    const answer = await fetch(figure.dataset.series, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    draw(figure, await answer.json());
    button.remove();
  } catch {
    button.textContent = "The figures could not be loaded; try again";
    button.disabled = false;
  }
}

function draw(figure, series) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  for (const old of figure.querySelectorAll(".wide-only, .narrow-only")) old.remove();
  const place = document.createElement("div");
  place.className = "zoomable";
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", "Credits per hour, zoomable");
  figure.prepend(place);
  const value = (_, v) => (v == null ? "–" : v.toLocaleString("en", { maximumFractionDigits: 2 }) + " credits");
  const chart = new uPlot({
    width: place.clientWidth, height: 260,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    series: [
      { label: "hour (UTC)" },
      { label: "usual, high", stroke: colour("--band-edge"), width: 1, value },
      { label: "usual, low", stroke: colour("--band-edge"), width: 1, value },
      { label: "spent", stroke: colour("--accent"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), value },
    ],
    bands: [{ series: [1, 2], fill: colour("--band") }],
    axes: [axis, { ...axis, size: 60 }],
  }, [series.at, series.high, series.low, series.spent], place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 260 })).observe(place);
  const hint = document.createElement("p");
  hint.className = "soft";
  hint.textContent = "Drag to zoom in, double-click to see everything again.";
  place.after(hint);
}
