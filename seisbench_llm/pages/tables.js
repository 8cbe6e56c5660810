// Sorts a table by the column whose head is pressed. A second press reverses the order.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        const value = cell.dataset.value === undefined ? NaN : parseFloat(cell.dataset.value);
        return cell.dataset.value === undefined ? cell.textContent : value;
      };
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === "string") return x.localeCompare(y);
        // Unknown values stay at the end.
        if (isNaN(x) || isNaN(y)) return (isNaN(x) ? 1 : 0) - (isNaN(y) ? 1 : 0);
        return down ? y - x : x - y;
      };
      const body = table.tBodies[0];
      const rows = [...body.rows].sort(order);
      if (down && column === 0) rows.reverse();
      body.append(...rows);
    });
  });
}
