// SPDX-License-Identifier: Apache-2.0
// Light and dark by the button or as the system says, and paper, which is white and has room for a table's first rows only.
const root = document.documentElement;

// `shownTable()`: the table that is printed.
const prepareAppearance = (plots, view, shownTable) => {
  const redraw = () => plots.forEach((plot) => plot.draw());
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : wantsDark.matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  });
  wantsDark.addEventListener("change", redraw);

  const draw = (all, note) => {
    view.all = all;
    view.drawRows();
    redraw();
    byId("print-note").textContent = note;
  };
  let themeBefore;
  window.addEventListener("beforeprint", () => {
    themeBefore = root.dataset.theme;
    root.dataset.theme = "light";
    const { order } = shownTable();
    draw(true, order.length > PRINTED_ROWS ? `The first ${PRINTED_ROWS} of ${thousands.format(order.length)} rows.` : "");
  });
  window.addEventListener("afterprint", () => {
    if (themeBefore === undefined) delete root.dataset.theme;
    else root.dataset.theme = themeBefore;
    draw(false, "");
  });
};
