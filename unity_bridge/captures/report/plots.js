// SPDX-License-Identifier: Apache-2.0
// The plots, on canvas, of the rows that the filters leave.
const HEIGHT = 280;

// Canvas knows no CSS variables: their colours are read off an element.
const colour = (name) => {
  const probe = make("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

const quantile = (sorted, part) => {
  const at = part * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
};

const sortedNumbers = (values) => Float64Array.from(values).sort();

const ticks = (low, high, most) => {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-12) + 1e-12; at++) found.push(at * step + 0); // no -0
  return found;
};

const logTicks = (low, high) => {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const factor of [1, 2, 5]) if (factor * 10 ** power >= low && factor * 10 ** power <= high) found.push(factor * 10 ** power);
  return found;
};

const plain = (value) => String(Number(value.toPrecision(3)) + 0);
const percentTick = (value) => plain(100 * value) + " %";

class Plot {
  constructor(title, painter) {
    this.painter = painter;
    this.figure = make("figure", "plot");
    const caption = make("figcaption", "", title);
    this.note = caption.appendChild(make("span"));
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.figure.append(caption, this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  update(points) {
    this.points = points;
    this.draw();
  }

  draw() {
    const width = this.canvas.clientWidth;
    if (!this.points || !width) return;
    const ratio = window.devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(HEIGHT * ratio)];
    const paint = this.canvas.getContext("2d");
    paint.scale(ratio, ratio);
    paint.font = "12px system-ui, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";
    this.ink = { text: colour("--quiet"), line: colour("--line"), accent: colour("--accent"), warm: colour("--warm") };
    const note = this.points.length ? this.painter(paint, this.points, width, this) : "Nothing to show.";
    this.note.textContent = note;
    this.canvas.setAttribute("aria-label", `${this.figure.firstChild.firstChild.textContent}. ${note}`);
  }
}

// The frame of a plot: lines and labels of both axes, and how values become pixels.
const axes = (paint, ink, width, x, y) => {
  const [left, right, top, bottom] = [52, width - 10, 8, HEIGHT - 36];
  const bend = x.log ? Math.log : (value) => value;
  const toX = (value) => left + ((bend(value) - bend(x.low)) / (bend(x.high) - bend(x.low))) * (right - left);
  const toY = (value) => bottom - ((value - y.low) / (y.high - y.low)) * (bottom - top);
  paint.lineWidth = 1;
  paint.strokeStyle = ink.line;
  paint.fillStyle = ink.text;
  paint.textAlign = "right";
  paint.textBaseline = "middle";
  for (const value of y.ticks) {
    paint.beginPath();
    paint.moveTo(left, toY(value));
    paint.lineTo(right, toY(value));
    paint.stroke();
    paint.fillText(y.text(value), left - 6, toY(value));
  }
  paint.textAlign = "center";
  paint.textBaseline = "top";
  let taken = -Infinity;
  for (const value of x.ticks) {
    const half = paint.measureText(x.text(value)).width / 2;
    const at = Math.min(toX(value), width - half);
    if (at - half < taken) continue;
    paint.fillText(x.text(value), at, bottom + 5);
    taken = at + half + 6;
  }
  paint.fillText(x.title, (left + right) / 2, bottom + 20);
  return { toX, toY, left, right, top, bottom };
};

const widened = (low, high) => (high > low ? [low, high] : [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1]);

// Relative error against true distance, with the median and the middle 80 % along it.
const paintScatter = (paint, points, width, plot) => {
  const { ink } = plot;
  const along = sortedNumbers(points.map((point) => point.true));
  const errors = sortedNumbers(points.map((point) => point.error));
  const many = points.length > 200;
  let [low, high] = [Math.min(0, quantile(errors, many ? 0.005 : 0)), Math.max(0, quantile(errors, many ? 0.995 : 1))];
  const pad = Math.max(0.005, (high - low) * 0.06);
  [low, high] = [low - pad, high + pad];
  const [near, far] = widened(along[0], along[along.length - 1]);
  const log = near > 0 && far / near > 25;
  const x = { low: near, high: far, log, ticks: log ? logTicks(near, far) : ticks(near, far, 6), text: plain, title: "true distance [m]" };
  const frame = axes(paint, ink, width, x, { low, high, ticks: ticks(low, high, 6), text: percentTick });
  paint.fillStyle = ink.accent;
  paint.globalAlpha = Math.max(0.08, Math.min(0.8, 60 / Math.sqrt(points.length) / 10 + 0.05));
  let beyond = 0;
  plot.places = points.map((point) => {
    const error = Math.min(high, Math.max(low, point.error));
    beyond += error !== point.error;
    return [frame.toX(point.true), frame.toY(error)];
  });
  const radius = points.length > 5000 ? 1.5 : points.length > 500 ? 2.2 : 3;
  for (const [atX, atY] of plot.places) {
    paint.beginPath();
    paint.arc(atX, atY, radius, 0, 2 * Math.PI);
    paint.fill();
  }
  paint.globalAlpha = 1;
  paint.strokeStyle = ink.text;
  paint.beginPath();
  paint.moveTo(frame.left, frame.toY(0));
  paint.lineTo(frame.right, frame.toY(0));
  paint.stroke();
  const trend = paintTrend(paint, ink, points, frame) ? "; line: median, band: middle 80 %" : "";
  return `${thousands.format(points.length)} objects${trend}${beyond ? `; ${thousands.format(beyond)} beyond the edge` : ""}`;
};

// In bins of equal width on the axis; one of fewer than 8 objects says nothing.
const paintTrend = (paint, ink, points, frame) => {
  const bins = Array.from({ length: 14 }, () => []);
  const size = (frame.right - frame.left) / bins.length;
  for (const point of points) bins[Math.min(bins.length - 1, Math.max(0, Math.floor((frame.toX(point.true) - frame.left) / size)))].push(point.error);
  const line = [];
  bins.forEach((bin, place) => {
    if (bin.length < 8) return;
    const sorted = sortedNumbers(bin);
    line.push([frame.left + (place + 0.5) * size, ...[0.1, 0.5, 0.9].map((part) => frame.toY(quantile(sorted, part)))]);
  });
  if (line.length < 2) return false;
  paint.save();
  paint.beginPath();
  paint.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  paint.clip();
  paint.beginPath();
  line.forEach(([x, low]) => paint.lineTo(x, low));
  [...line].reverse().forEach(([x, , , high]) => paint.lineTo(x, high));
  paint.fillStyle = ink.warm;
  paint.globalAlpha = 0.16;
  paint.fill();
  paint.globalAlpha = 1;
  paint.strokeStyle = ink.warm;
  paint.lineWidth = 2;
  paint.beginPath();
  line.forEach(([x, , middle]) => paint.lineTo(x, middle));
  paint.stroke();
  paint.restore();
  return true;
};

// How often which value; of many, the outermost 1 % on either side fall into the last bar.
const histogram = (text, title, describe, aroundZero) => (paint, points, width, plot) => {
  const { ink } = plot;
  const values = sortedNumbers(points.map((point) => point.value));
  const many = values.length > 200;
  let [low, high] = [quantile(values, many ? 0.01 : 0), quantile(values, many ? 0.99 : 1)];
  if (aroundZero) [low, high] = [-Math.max(-low, high, 0.01), Math.max(-low, high, 0.01)];
  [low, high] = widened(low, high);
  const bars = new Uint32Array(Math.max(8, Math.min(41, 2 * Math.ceil(Math.sqrt(values.length)) + 1)) | 1);
  for (const value of values) bars[Math.min(bars.length - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bars.length)))]++;
  const most = Math.max(...bars);
  const y = { low: 0, high: most * 1.06, ticks: ticks(0, most, 5).filter(Number.isInteger), text: (value) => thousands.format(value) };
  const frame = axes(paint, ink, width, { low, high, ticks: ticks(low, high, 6), text, title }, y);
  const size = (frame.right - frame.left) / bars.length;
  paint.fillStyle = ink.accent;
  bars.forEach((count, place) => {
    if (count) paint.fillRect(frame.left + place * size + 0.5, frame.toY(count), Math.max(1, size - 1), frame.bottom - frame.toY(count));
  });
  const middle = quantile(values, 0.5);
  paint.strokeStyle = ink.warm;
  paint.lineWidth = 2;
  paint.beginPath();
  paint.moveTo(frame.toX(middle), frame.top);
  paint.lineTo(frame.toX(middle), frame.bottom);
  paint.stroke();
  return describe(values, middle) + (many ? "; the outermost 1 % on either side count in the last bars" : "");
};

// One line for each category: the middle 80 %, the middle half, the median.
const classes = (text, title, aroundZero) => (paint, points, width, plot) => {
  const { ink } = plot;
  const groups = new Map();
  for (const point of points) {
    if (!groups.has(point.category)) groups.set(point.category, []);
    groups.get(point.category).push(point.value);
  }
  const most = [...groups].sort((a, b) => b[1].length - a[1].length).slice(0, 10);
  const parts = most.map(([name, values]) => {
    const sorted = sortedNumbers(values);
    return [`${texts[name] || "(none)"} · ${thousands.format(sorted.length)}`, ...[0.1, 0.25, 0.5, 0.75, 0.9].map((part) => quantile(sorted, part))];
  });
  const ends = parts.flatMap((part) => [part[1], part[5]]).concat(aroundZero ? [0] : []);
  let [low, high] = widened(Math.min(...ends), Math.max(...ends));
  [low, high] = [low - (high - low) * 0.04, high + (high - low) * 0.04];
  const frame = axes(paint, ink, width, { low, high, ticks: ticks(low, high, 6), text, title }, { low: 0, high: 1, ticks: [] });
  const step = Math.min(56, (frame.bottom - frame.top) / parts.length);
  if (aroundZero) bar(paint, ink.line, frame.toX(0), frame.top, frame.toX(0), frame.bottom, 1);
  parts.forEach(([name, ...cuts], place) => {
    const y = frame.top + (place + 0.7) * step;
    const [p10, p25, p50, p75, p90] = cuts.map(frame.toX);
    bar(paint, ink.accent, p10, y, p90, y, 2);
    bar(paint, ink.accent, p25, y, Math.max(p75, p25 + 1), y, 8);
    bar(paint, ink.warm, p50, y - 6, p50, y + 6, 2.5);
    paint.fillStyle = ink.text;
    paint.textAlign = "left";
    paint.textBaseline = "alphabetic";
    paint.fillText(shortened(paint, name, frame.right - 4), 4, y - 8);
  });
  const rest = groups.size - most.length;
  return `bar: middle half, line: middle 80 %, mark: median${rest > 0 ? `; ${thousands.format(rest)} more categories in the table` : ""}`;
};

const bar = (paint, style, x0, y0, x1, y1, size) => {
  paint.strokeStyle = style;
  paint.lineWidth = size;
  paint.beginPath();
  paint.moveTo(x0, y0);
  paint.lineTo(x1, y1);
  paint.stroke();
};

const shortened = (paint, text, room) => {
  while (text.length > 4 && paint.measureText(text).width > room) text = text.slice(0, -2).trimEnd() + "…";
  return text;
};
