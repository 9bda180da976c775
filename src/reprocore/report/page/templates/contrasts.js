// The contrasts, by measure, place and family.
const pText = (p) => (p === null ? "–" : p < 1e-4 ? "< 0.0001" : p.toFixed(4));

function contrastRow(row) {
  const head = [element("th", { scope: "row" }, row.model), element("td", {}, row.label)];
  if (!row.verdict) {
    return element("tr", {}, ...head, element("td", { colspan: 6, class: "missing" }, row.why));
  }
  const kind = `verdict v-${row.verdict.replaceAll(" ", "-")}`;
  return element("tr", {}, ...head,
    element("td", {}, row.other),
    element("td", {}, row.place),
    number(row.estimate, row.text),
    number(row.p, pText(row.p)),
    element("td", {}, element("span", { class: kind }, row.verdict),
      ...(row.note ? [element("span", { class: "where" }, row.note)] : [])),
    element("td", {}, row.exploratory ? "exploratory" : "declared"));
}

const contrasts = unpack(data.contrasts);

// The contrasts that are asked for, and the activations of each model that have none.
function asked() {
  const { measure, family, condition } = state;
  return byModel(where(contrasts, { measure, family, condition }))
    .flatMap(([model, own]) => [...own, ...absent(model, own)]);
}

view(["measure", "family", "condition"], () => {
  const table = byId("contrasts-table");
  table.tBodies[0].replaceChildren(...asked().map(contrastRow));
  for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
});

view(["measure", "family", "condition", "axis"], () => {
  const pair = (row) => state.family !== "reference" && row.verdict;
  const rows = asked()
    .map((row) => ({ ...row, note: row.verdict }))
    .map((row) => pair(row) ? { ...row, label: `${row.label} / ${row.other}` } : row);
  const title = `ratio of ${data.measures[state.measure].label}`;
  grid("contrasts-charts", "ratios", byModel(rows), { title }, title, axis(rows, [1]));
});
