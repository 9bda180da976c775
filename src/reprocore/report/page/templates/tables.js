// Tables: sorted by a press on a heading, and filtered.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortBy(table.tBodies[0], column, down ? -1 : 1);
    });
  });
}

// What has no value stands last, whichever way is sorted.
function sortBy(body, column, sign) {
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell?.dataset.value ?? cell?.textContent.trim() ?? "";
    return text === "" || text === "–" ? null : text;
  };
  const keyed = [...body.rows].map((row) => [value(row), row]);
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const [x, y] = [Number(a), Number(b)];
    return sign * (Number.isNaN(x - y) ? a.localeCompare(b, "en", { numeric: true }) : x - y);
  };
  keyed.sort(([a], [b]) => compare(a, b));
  body.append(...keyed.map(([, row]) => row));
}

document.querySelectorAll("table.sortable").forEach(sortable);

for (const filter of document.querySelectorAll("[data-filter]")) {
  const rows = [...byId(filter.dataset.filter).tBodies[0].rows];
  filter.addEventListener("change", () => {
    const kept = [...filter.querySelectorAll("input:checked")].map((input) => input.value);
    for (const row of rows) row.hidden = !kept.includes(row.dataset.kind);
  });
}

const number = (value, text) =>
  element("td", { class: "number", "data-value": value ?? "" }, ...numbered(text));
