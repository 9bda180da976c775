// The contrasts, by measure, place and family.
const pText = (p) => (p === null ? "–" : p < 1e-4 ? "< 0.0001" : p.toFixed(4));

function contrastRow(row) {
  const kind = `verdict v-${row.verdict.replaceAll(" ", "-")}`;
  return element("tr", {},
    element("th", { scope: "row" }, row.model),
    element("td", {}, row.label),
    element("td", {}, row.other),
    element("td", {}, row.place),
    number(row.estimate, row.text),
    number(row.p, pText(row.p)),
    element("td", {}, element("span", { class: kind }, row.verdict),
      ...(row.note ? [element("span", { class: "where" }, row.note)] : [])),
    element("td", {}, row.exploratory ? "exploratory" : "declared"));
}

const contrasts = unpack(data.contrasts);
view(["measure", "family", "condition"], () => {
  const { measure, family, condition } = state;
  const rows = where(contrasts, { measure, family, condition });
  const none = element("tr", {}, element("td", { colspan: 8, class: "missing" }, "not compared"));
  const table = byId("contrasts-table");
  table.tBodies[0].replaceChildren(...(rows.length ? rows.map(contrastRow) : [none]));
  for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
});

view(["measure", "family", "condition", "axis"], () => {
  const { measure, family, condition } = state;
  const rows = where(contrasts, { measure, family, condition })
    .map((row) => ({ ...row, note: row.verdict }))
    .map((row) => family === "reference" ? row : { ...row, label: `${row.label} / ${row.other}` });
  const title = `ratio of ${data.measures[measure].label}`;
  grid("contrasts-charts", "ratios", byModel(rows), { title }, title, axis(rows, [1]));
});
