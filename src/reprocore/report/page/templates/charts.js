// Charts: a specification of the page with its places filled, drawn one after the other.
const waiting = new Map();
let busy = false;

function later(place, job) {
  waiting.set(place, job);
  if (!busy) work();
}

async function work() {
  busy = true;
  while (waiting.size) {
    const [place, job] = waiting.entries().next().value;
    waiting.delete(place);
    await job();
    await new Promise((done) => setTimeout(done));
  }
  busy = false;
  document.documentElement.dataset.drawn = "yes";
}

function filled(name, places) {
  let text = JSON.stringify(data.specifications[name]);
  for (const [key, value] of Object.entries(places)) {
    text = text.replaceAll(`["@${key}"]`, JSON.stringify(value));
    text = text.replaceAll(`"@${key}"`, JSON.stringify(value));
  }
  return JSON.parse(text);
}

function chart(place, name, rows, places, words) {
  if (!rows.length) {
    place.replaceChildren(element("p", { class: "missing" }, "not run, or not measured"));
    return;
  }
  delete document.documentElement.dataset.drawn;
  place.setAttribute("aria-label", words);
  later(place, async () => {
    const spec = { ...filled(name, places), datasets: { rows }, description: words };
    await vegaEmbed(place, spec, { actions: false, renderer: "svg" });
    const svg = place.querySelector("svg");
    svg.setAttribute("aria-label", words);
  });
}

// Ends of an axis that holds all numbers, with some room.
function limits(rows, more = []) {
  const all = rows.flatMap((row) => [row.estimate, row.low, row.high]).concat(more);
  const known = all.filter((value) => value !== null && value !== undefined);
  if (!known.length) return { low: 0, high: 1 };
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.01;
  return { low: low - room, high: high + room };
}

// One chart for each group, all on the same axis.
function grid(id, name, groups, places, words) {
  const place = byId(id);
  if (!place) return;
  for (const [title, rows] of groups) {
    let figure = [...place.children].find((child) => child.dataset.title === title);
    if (!figure) {
      const plot = element("div", { class: "chart", role: "img" });
      figure = element("figure", { "data-title": title }, element("figcaption", {}, title), plot);
      place.append(figure);
    }
    chart(figure.lastChild, name, rows, places, `${title}: ${words}. ${described(rows)}`);
  }
  for (const child of [...place.children]) {
    if (!groups.some(([title]) => title === child.dataset.title)) child.remove();
  }
}

const described = (rows) =>
  rows.length > 12 ? "" : rows.map((r) => `${r.label ?? ""} ${r.text || r.why}`).join("; ");

const byModel = (rows) => data.models.map((model) => [model, where(rows, { model })]);

const ticksOf = (rows, name) => [...new Set(rows.map((row) => row[name]))].sort((a, b) => a - b);

const levels = unpack(data.levels);
view(["measure"], () => {
  const rows = where(levels, { measure: state.measure });
  const { heading, alike } = data.measures[state.measure];
  byId("levels").querySelector("[data-direction]").textContent = alike;
  byId("levels").querySelector("[data-holds]").textContent = data.measures[state.measure].holds;
  grid("levels-charts", "rows", byModel(rows), { title: heading, ...limits(rows) }, heading);
});

const curves = unpack(data.curves).map((row) => ({ ...row, label: data.labels[row.activation] }));
view(["measure"], () => {
  const rows = where(curves, { measure: state.measure });
  const { heading } = data.measures[state.measure];
  const places = { title: heading, across: "optimiser steps", ticks: ticksOf(rows, "step") };
  grid("curves-charts", "lines", byModel(rows), { ...places, ...limits(rows) }, heading);
});

const cross = unpack(data.cross);
view(["model", "measure", "first", "second"], () => {
  const { heading } = data.measures[state.measure];
  const rows = crossRows();
  chart(byId("cross-chart"), "rows", rows, { title: heading, ...limits(rows) }, described(rows));
  byId("cross-words").textContent = rows.some((row) => row.estimate !== null) ? crossWords() : "";
});

function crossOf(a, b, sameSeed) {
  const own = where(cross, { model: state.model, measure: state.measure, same_seed: sameSeed });
  return own.find((row) =>
    [[a, b], [b, a]].some(([x, y]) => row.activation_a === x && row.activation_b === y));
}

function crossRows() {
  const [a, b] = [state.first, state.second];
  const asked = [
    [`${data.labels[a]}, other seed`, a, a, false],
    [`${data.labels[b]}, other seed`, b, b, false],
    ["swapped, same seed", a, b, true],
    ["swapped, other seed", a, b, false],
  ];
  const kept = a === b ? asked.slice(0, 1) : asked;
  return kept.map(([label, one, other, same]) => {
    const row = crossOf(one, other, same);
    const empty = { estimate: null, low: null, high: null, text: "", note: "" };
    return { ...(row ?? empty), label, why: row ? "" : "not run, or not compared" };
  });
}

function crossWords() {
  if (state.first === state.second) return "";
  const [same, other] = [true, false].map((seed) => crossOf(state.first, state.second, seed));
  if (!same || !other) return "";
  return `Times as far as training again: with the same seed ${same.times}, ` +
    `with another seed ${other.times}.`;
}

const pairs = unpack(data.pairs);
view(["model", "activation", "measure"], () => {
  const own = where(pairs, { model: state.model, activation: state.activation });
  const known = own.filter((row) => (row[state.measure] ?? null) !== null);
  const rows = known.flatMap((row) => {
    const text = known.length > 66 ? "" : row[state.measure].toPrecision(3);
    const one = { value: row[state.measure], text };
    return [{ ...one, seed_a: row.seed_a, seed_b: row.seed_b },
      { ...one, seed_a: row.seed_b, seed_b: row.seed_a }];
  });
  const values = rows.map((row) => row.value);
  const places = { title: data.measures[state.measure].heading };
  const ends = { low: Math.min(...values), high: Math.max(...values) };
  chart(byId("pairs-chart"), "heat", rows, { ...places, ...ends }, "seeds by seeds");
});

const ARMS = ["init", "order", "dropout", "none"];
view([], () => {
  const rows = unpack(data.sources);
  const groups = ARMS.flatMap((arm) => byModel(where(rows, { arm }))
    .filter(([, own]) => own.length)
    .map(([model, own]) => [`${model}: ${own[0].words}`, own]));
  const title = "share of the difference when all follow the seed";
  grid("sources-charts", "ratios", groups, { title, ...limits(rows, [0, 1]) }, title);
});

view(["model"], () => {
  const rows = where(unpack(data.tuning), { model: state.model });
  const groups = data.activations[state.model]
    .map((name) => [data.labels[name], where(rows, { activation: name })]);
  const places = { ticks: ticksOf(rows, "learning_rate") };
  grid("tuning-charts", "rates", groups, places, "validation loss by learning rate");
});

view([], () => {
  const rows = unpack(data.early);
  const places = { title: "Kendall’s correlation", across: "optimiser steps", low: -1.05, high: 1.05 };
  grid("early-charts", "lines", byModel(rows), { ...places, ticks: ticksOf(rows, "step") }, "rank correlation");
});
