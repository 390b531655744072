// SPDX-License-Identifier: Apache-2.0
// The page: filters, tabs, plots.
const tables = Object.fromEntries(Object.entries(data.tables).map(([name, source]) => [name, new DataTable(source)]));
const objects = tables.objects;
const hasTruth = objects.has("relative");
const controls = ["search", "category", "nearest", "farthest", "off"].map(byId);
const [search, category, nearest, farthest, off] = controls;
let shownName = "objects";

const view = new TableView(byId("scroller"), (key) => {
  tables[shownName].sortBy(key);
  view.show(tables[shownName]);
});

// A field that cannot be read as a number filters nothing.
const asked = (input) => (input.value.trim() === "" || Number.isNaN(Number(input.value)) ? null : Number(input.value));

const filterOf = (table) => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const inTexts = words.map((word) => texts.map((text) => text.toLowerCase().includes(word)));
  const textColumns = table.columns.filter((column) => column.kind === "text").map((column) => table.values[column.key]);
  const wanted = category.value === "" ? null : Number(category.value);
  const [low, high, far] = [asked(nearest), asked(farthest), asked(off)];
  const distances = table === objects ? table.values.median : null;
  const errors = table === objects ? table.values.relative : table.values.worst;
  return (row) =>
    inTexts.every((matches) => textColumns.some((column) => matches[column[row]])) &&
    (wanted === null || !table.has("category") || table.values.category[row] === wanted) &&
    (distances === null || low === null || (distances[row] !== null && distances[row] >= low)) &&
    (distances === null || high === null || (distances[row] !== null && distances[row] <= high)) &&
    (far === null || !errors || (errors[row] !== null && 100 * Math.abs(errors[row]) > far));
};

const apply = () => {
  const table = tables[shownName];
  table.filter(filterOf(table));
  view.show(table);
  const [left, all] = [table.order.length, table.count].map((value) => thousands.format(value));
  byId("count").textContent = table.order.length === table.count ? `${all} rows` : `${left} of ${all} rows`;
  if (shownName === "objects") drawPlots();
};

const openTab = (name) => {
  shownName = name;
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-selected", String(tab.dataset.name === name));
  apply();
};

const prepareControls = () => {
  for (const [name, title] of [["objects", "Objects"], ["frames", "Frames"], ["classes", "Categories"]]) {
    const tab = make("button", "", title);
    tab.type = "button";
    tab.dataset.name = name;
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => openTab(name));
    document.querySelector(".tabs").append(tab);
  }
  const names = [...new Set(objects.values.category)].sort((a, b) => rankOf(a) - rankOf(b));
  category.append(new Option("All categories", ""), ...names.map((place) => new Option(texts[place] || "(none)", String(place))));
  category.hidden = names.length < 2;
  byId("off-label").hidden = !hasTruth;
  let waiting = 0;
  for (const control of controls)
    control.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, objects.count > 20000 ? 150 : 0);
    });
  byId("clear").addEventListener("click", () => {
    controls.forEach((control) => (control.value = ""));
    apply();
  });
};

const findFrame = (name) => {
  controls.forEach((control) => (control.value = ""));
  search.value = name;
  openTab("objects");
  byId("tables").scrollIntoView();
};

const unit = data.unit === "m" ? " [m]" : data.unit === "disparity" ? " (disparity)" : " (relative)";
const signedPercent = (value) => signed(value, (100 * value).toFixed(1) + " %");
const describeErrors = (values, middle) => {
  const spread = sortedNumbers(values.map(Math.abs));
  return `median ${signedPercent(middle)}; half of the objects within ±${(100 * quantile(spread, 0.5)).toFixed(1)} %, 90 % within ±${(100 * quantile(spread, 0.9)).toFixed(1)} %`;
};
const describeLengths = (values, middle) => `from ${plain(values[0])} to ${plain(values[values.length - 1])}, median ${plain(middle)}${data.unit === "m" ? " m" : ""}`;

const plots = hasTruth
  ? [
      new Plot("Error against true distance", paintScatter),
      new Plot("Relative errors", histogram(percentTick, "measured against true", describeErrors, true)),
      new Plot("Errors by category", classes(percentTick, "measured against true", true)),
    ]
  : [
      new Plot("Distances of the objects", histogram(plain, "median of the object" + unit, describeLengths, false)),
      new Plot("Distances by category", classes(plain, "median of the object" + unit, false)),
    ];

const drawPlots = () => {
  const { values, order } = objects;
  const points = [];
  for (const row of order) {
    const value = hasTruth ? values.relative[row] : values.median[row];
    if (value !== null && value !== undefined) points.push({ row, value, error: value, category: values.category[row], true: values.true?.[row] });
  }
  plots.forEach((plot, place) => plot.update(place === 0 && hasTruth ? points.filter((point) => point.true > 0) : points));
};

const prepareTip = (plot) => {
  const tip = make("div", "tip");
  tip.hidden = true;
  document.body.append(tip);
  plot.canvas.addEventListener("pointermove", (event) => {
    const box = plot.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, found] = [144, -1];
    (plot.places || []).forEach(([atX, atY], place) => {
      const distance = (atX - x) ** 2 + (atY - y) ** 2;
      if (distance < best) [best, found] = [distance, place];
    });
    tip.hidden = found < 0;
    if (found < 0) return;
    const { row } = plot.points[found];
    const { frame, category: kind, id, true: known, median } = objects.values;
    tip.textContent = `${texts[frame[row]]}: ${texts[kind[row]]} ${texts[id[row]]}, ${lengthText(median[row])} m, true ${lengthText(known[row])} m (${signedPercent(objects.values.relative[row])})`;
    tip.style.left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 14 + "px";
  });
  plot.canvas.addEventListener("pointerleave", () => (tip.hidden = true));
};

document.querySelector(".plots").append(...plots.map((plot) => plot.figure));
if (hasTruth) prepareTip(plots[0]);
prepareAppearance(plots, view, () => tables[shownName]);
prepareControls();
prepareCards(findFrame);
openTab("objects");
root.dataset.ready = "true";
