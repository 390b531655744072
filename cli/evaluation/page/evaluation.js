// SPDX-License-Identifier: Apache-2.0
// The page of an evaluation: one line per model in each plot, a table of every picture.
const table = new DataTable(data.table);
const models = data.models;
const placeOf = new Map(models.map((model, place) => [model.label, place]));
const modelOf = (row) => placeOf.get(table.values.label[row]);
const controls = ["search", "model"].map(byId);
const [search, chosenModel] = controls;

const view = new TableView(byId("scroller"), (key) => {
  table.sortBy(key);
  view.show(table);
});

const ink = (place) => colour(`--c${place % 8}`);

const line = (paint, style, points) => {
  paint.strokeStyle = style;
  paint.lineWidth = 2;
  paint.beginPath();
  points.forEach(([x, y]) => paint.lineTo(x, y));
  paint.stroke();
};

// Which share of the pictures has at most that AbsRel.
const paintShares = (paint, series, width, plot) => {
  const all = sortedNumbers(series.flatMap((each) => [...each.values]));
  const [low, high] = widened(Math.max(all[0], 1e-4), Math.max(all[all.length - 1], 2e-4));
  const log = high / low > 10;
  const x = { low: log ? low : 0, high, log, ticks: log ? logTicks(low, high) : ticks(0, high, 6), text: plain, title: "AbsRel" };
  const frame = axes(paint, plot.ink, width, x, { low: 0, high: 1, ticks: ticks(0, 1, 5), text: percentTick });
  const parts = series.map(({ place, values }) => {
    const points = [[frame.left, frame.bottom]];
    values.forEach((value, at) => {
      const atX = frame.toX(Math.max(value, x.low || value));
      points.push([atX, frame.toY(at / values.length)], [atX, frame.toY((at + 1) / values.length)]);
    });
    points.push([frame.right, frame.top]);
    line(paint, ink(place), points);
    return `${texts[models[place].label]}: half of ${thousands.format(values.length)} below ${plain(quantile(values, 0.5))}, 90 % below ${plain(quantile(values, 0.9))}`;
  });
  return parts.join("; ");
};

// A figure of the pixels in each range of true depth; a range with few of them is a smaller dot.
const paintRanges = (pick, aroundZero) => (paint, series, width, plot) => {
  const all = series.flatMap((each) => each.ranges);
  const values = all.map(pick);
  const [near, far] = [Math.min(...all.map((range) => range[0])), Math.max(...all.map((range) => range[1]))];
  const ends = [Math.min(0, ...values), Math.max(0.01, ...values)];
  const pad = (ends[1] - ends[0]) * 0.06;
  const y = { low: ends[0] - (aroundZero ? pad : 0), high: ends[1] + pad, ticks: ticks(ends[0], ends[1], 6), text: percentTick };
  const frame = axes(paint, plot.ink, width, { low: near, high: far, log: true, ticks: logTicks(near, far), text: plain, title: "true depth [m]" }, y);
  if (aroundZero) bar(paint, plot.ink.text, frame.left, frame.toY(0), frame.right, frame.toY(0), 1);
  for (const { place, ranges } of series) {
    const points = ranges.map((range) => [frame.toX(Math.sqrt(range[0] * range[1])), frame.toY(pick(range))]);
    line(paint, ink(place), points);
    const most = Math.max(...ranges.map((range) => range[2]));
    paint.fillStyle = ink(place);
    points.forEach(([atX, atY], at) => {
      paint.beginPath();
      paint.arc(atX, atY, 1.5 + 3.5 * Math.sqrt(ranges[at][2] / most), 0, 2 * Math.PI);
      paint.fill();
    });
  }
  return aroundZero ? "mean of (estimate - truth) / truth: above zero is too far" : "mean of |estimate - truth| / truth; the larger a dot, the more pixels";
};

const shares = new Plot("Share of the pictures with at most that AbsRel", paintShares);
const ranges = [new Plot("AbsRel by true depth", paintRanges((range) => range[3], false)), new Plot("Too near, too far", paintRanges((range) => range[4], true))];
const plots = [shares, ...ranges];

const drawPlots = () => {
  const values = models.map(() => []);
  for (const row of table.order) {
    const value = table.values.abs_rel?.[row];
    if (value !== null && value !== undefined) values[modelOf(row)].push(value);
  }
  shares.update(values.map((each, place) => ({ place, values: sortedNumbers(each) })).filter((each) => each.values.length));
  const wanted = models.map((model, place) => ({ place, ranges: model.ranges })).filter((each) => each.ranges.length && values[each.place].length);
  ranges.forEach((plot) => plot.update(wanted));
};

const apply = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const inTexts = words.map((word) => texts.map((text) => text.toLowerCase().includes(word)));
  const columns = ["frame", "note"].filter((key) => table.has(key)).map((key) => table.values[key]);
  const wanted = chosenModel.value === "" ? null : Number(chosenModel.value);
  table.filter((row) => (wanted === null || modelOf(row) === wanted) && inTexts.every((matches) => columns.some((column) => matches[column[row]])));
  view.show(table);
  const [left, all] = [table.order.length, table.count].map((value) => thousands.format(value));
  byId("count").textContent = table.order.length === table.count ? `${all} rows` : `${left} of ${all} rows`;
  drawPlots();
};

const prepareControls = () => {
  chosenModel.append(new Option("All models", ""), ...models.map((model, place) => new Option(texts[model.label], String(place))));
  chosenModel.hidden = models.length < 2;
  for (const control of controls) control.addEventListener("input", apply);
  byId("clear").addEventListener("click", () => {
    controls.forEach((control) => (control.value = ""));
    apply();
  });
  for (const card of document.querySelectorAll(".card")) {
    const button = make("button", "", "In the table");
    button.type = "button";
    button.addEventListener("click", () => {
      chosenModel.value = "";
      search.value = texts[Number(card.dataset.frame)];
      apply();
      byId("tables").scrollIntoView();
    });
    card.querySelector("header").append(button);
  }
  const aim = () => {
    const card = [...document.querySelectorAll(".card")].find((item) => "#" + item.id === location.hash);
    document.querySelectorAll(".card").forEach((item) => item.classList.toggle("hot", item === card));
    card?.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", aim);
  aim();
};

document.querySelector(".plots").append(...plots.map((plot) => plot.figure));
prepareAppearance(plots, view, () => table);
prepareControls();
apply();
root.dataset.ready = "true";
