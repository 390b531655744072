// SPDX-License-Identifier: Apache-2.0
// The tables: columns of numbers and places in a list of texts; only the rows in view are in the document.
const data = JSON.parse(document.getElementById("data").textContent);
const texts = data.texts;
const byId = (id) => document.getElementById(id);
const thousands = new Intl.NumberFormat("en");
const PRINTED_ROWS = 200;

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

const lengthText = (value) => value.toFixed(Math.abs(value) < 10 ? 3 : Math.abs(value) < 100 ? 2 : 1);
const signed = (value, text) => (value > 0 ? "+" + text : text);
const FORMATS = {
  text: (value) => texts[value],
  length: lengthText,
  part: (value) => (100 * value).toFixed(1) + " %",
  signed: (value) => signed(value, (100 * value).toFixed(1) + " %"),
  count: (value) => thousands.format(value),
};

// Texts are compared once, all of them; rows then compare whole numbers.
let textRanks = null;
const rankOf = (place) => {
  if (textRanks === null) {
    const collator = new Intl.Collator("en", { numeric: true });
    const order = texts.map((_, at) => at).sort((a, b) => collator.compare(texts[a], texts[b]));
    textRanks = new Uint32Array(texts.length);
    order.forEach((at, rank) => (textRanks[at] = rank));
  }
  return textRanks[place];
};

class DataTable {
  constructor(source) {
    this.columns = source.columns;
    this.values = source.values;
    this.count = source.count;
    this.order = Uint32Array.from({ length: this.count }, (_, row) => row);
    this.sortedBy = null;
    this.descending = false;
  }

  has(key) {
    return key in this.values;
  }

  // Keeps the rows of which keep(row) is true, in the order that was chosen.
  filter(keep) {
    const rows = [];
    for (let row = 0; row < this.count; row++) if (keep(row)) rows.push(row);
    this.order = Uint32Array.from(rows);
    this.arrange();
  }

  // Ascending, descending, as they came.
  sortBy(key) {
    if (this.sortedBy !== key) [this.sortedBy, this.descending] = [key, false];
    else if (!this.descending) this.descending = true;
    else [this.sortedBy, this.descending] = [null, false];
    this.order.sort();
    this.arrange();
  }

  arrange() {
    if (this.sortedBy === null) return;
    const column = this.values[this.sortedBy];
    const isText = this.columns.find((item) => item.key === this.sortedBy).kind === "text";
    const way = this.descending ? -1 : 1;
    // What has no value stands last, whichever way.
    this.order.sort((a, b) => {
      const [x, y] = [column[a], column[b]];
      if (isText) return way * (rankOf(x) - rankOf(y)) || a - b;
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return way * (x - y) || a - b;
    });
  }

  text(column, row) {
    const value = this.values[column.key][row];
    return value === null ? "" : FORMATS[column.kind](value);
  }
}

class TableView {
  constructor(scroller, onSort) {
    this.scroller = scroller;
    this.table = scroller.querySelector("table");
    this.head = scroller.querySelector("thead");
    this.body = scroller.querySelector("tbody");
    this.onSort = onSort;
    this.rowHeight = 30;
    this.all = false;
    scroller.addEventListener("scroll", () => this.requestRows());
    new ResizeObserver(() => this.requestRows()).observe(scroller);
  }

  show(table) {
    this.shown = table;
    this.drawHead();
    this.scroller.scrollTop = 0;
    this.drawRows();
  }

  drawHead() {
    const row = make("tr");
    for (const column of this.shown.columns) {
      const cell = make("th", column.kind);
      const sorted = this.shown.sortedBy === column.key;
      cell.setAttribute("aria-sort", sorted ? (this.shown.descending ? "descending" : "ascending") : "none");
      cell.scope = "col";
      cell.dataset.key = column.key;
      const button = make("button", "", column.title);
      button.type = "button";
      button.title = column.hint || "Sort";
      button.addEventListener("click", () => this.onSort(column.key));
      cell.append(button);
      row.append(cell);
    }
    const focused = this.head.contains(document.activeElement) ? document.activeElement.parentElement.dataset.key : null;
    this.head.replaceChildren(row);
    if (focused) [...row.children].find((cell) => cell.dataset.key === focused)?.firstChild.focus();
  }

  requestRows() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawRows();
    });
  }

  drawRows() {
    if (!this.shown) return;
    const { order } = this.shown;
    const inView = Math.ceil(this.scroller.clientHeight / this.rowHeight) + 20;
    const first = this.all ? 0 : Math.max(0, Math.min(Math.floor(this.scroller.scrollTop / this.rowHeight) - 10, order.length - inView));
    const last = Math.min(order.length, this.all ? PRINTED_ROWS : first + inView);
    const rows = [this.space(first)];
    for (let at = first; at < last; at++) rows.push(this.row(order[at], at));
    rows.push(this.space(this.all ? 0 : order.length - last));
    this.body.replaceChildren(...rows);
    this.table.setAttribute("aria-rowcount", order.length + 1);
    // A reader's own font size may make rows taller than planned.
    const height = last > first && !this.all ? rows[1].getBoundingClientRect().height : 0;
    if (height > 0 && Math.abs(height - this.rowHeight) > 0.5) {
      this.rowHeight = height;
      this.requestRows();
    }
  }

  space(rows) {
    const row = make("tr", "space");
    row.setAttribute("aria-hidden", "true");
    const cell = make("td");
    cell.colSpan = this.shown.columns.length;
    cell.style.height = rows * this.rowHeight + "px";
    row.append(cell);
    return row;
  }

  row(row, at) {
    const line = make("tr", at % 2 ? "odd" : "");
    line.setAttribute("aria-rowindex", at + 2);
    for (const column of this.shown.columns) {
      const text = this.shown.text(column, row);
      const cell = make("td", column.kind === "text" ? "text" : "");
      const card = column.key === "frame" ? data.cards[this.shown.values.frame[row]] : undefined;
      if (card) {
        const link = make("a", "", text);
        link.href = "#" + card;
        cell.append(link);
      } else cell.textContent = text;
      if (text.length > 30) cell.title = text;
      if (column.key === "state" && text !== "ok") cell.classList.add("warn");
      if (column.kind === "signed" && Math.abs(this.shown.values[column.key][row]) > 0.25) cell.classList.add("far");
      line.append(cell);
    }
    return line;
  }
}
