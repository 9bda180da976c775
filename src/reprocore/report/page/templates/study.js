// The charts of a study: which rows of the data each draws.
const byModel = (rows) => data.models.map((model) => [model, where(rows, { model })]);

const ticksOf = (rows, name) => [...new Set(rows.map((row) => row[name]))].sort((a, b) => a - b);

const levels = unpack(data.levels);
view(["measure", "axis"], () => {
  const rows = where(levels, { measure: state.measure });
  const { heading, alike, holds } = data.measures[state.measure];
  for (const place of document.querySelectorAll("[data-direction]")) place.textContent = alike;
  for (const place of document.querySelectorAll("[data-holds]")) place.textContent = holds;
  grid("levels-charts", "rows", byModel(rows), { title: heading }, heading, axis(rows));
});

// The activations of a model that none of its rows is about, each with why.
function absent(model, rows, otherwise = "not compared") {
  const about = new Set(rows.flatMap((row) => [row.label, row.other]));
  return where(levels, { model, measure: state.measure })
    .filter(({ label }) => !about.has(label))
    .map(({ label, why }) => ({
      ...{ model, label, estimate: null, low: null, high: null, text: "", note: "" },
      why: why || otherwise,
    }));
}

// The lines of each model, with the activations that have none; a model without any says so itself.
const linesByModel = (rows) => byModel(rows).map(([model, own]) => {
  const gone = own.length ? absent(model, own) : [];
  return [model, own, gone.map(({ label, why }) => `${label}: ${why}`).join("; ")];
});

const curves = unpack(data.curves).map((row) => ({ ...row, label: data.labels[row.activation] }));
view(["measure", "axis"], () => {
  const rows = where(curves, { measure: state.measure });
  const { heading } = data.measures[state.measure];
  const places = { title: heading, across: "optimiser steps", ticks: ticksOf(rows, "step") };
  grid("curves-charts", "lines", linesByModel(rows), places, heading, axis(rows));
});

const steps = unpack(data.steps);
view(["measure", "axis"], () => {
  const rows = where(steps, { measure: state.measure });
  const title = `ratio of ${data.measures[state.measure].label}`;
  const places = { title, across: "optimiser steps", ticks: ticksOf(rows, "step") };
  grid("steps-charts", "ratio_lines", linesByModel(rows), places, title, axis(rows, [1]));
});

const cross = unpack(data.cross);
view(["model", "measure", "first", "second"], () => {
  const { heading } = data.measures[state.measure];
  const rows = crossRows();
  chart(byId("cross-chart"), "plain", rows, { title: heading, ...limits(rows) }, described(rows));
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
  heat(byId("pairs-chart"), own, "seed_a", "seed_b", state.measure);
});

const ARMS = ["init", "order", "dropout", "none"];
view([], () => {
  const rows = unpack(data.sources);
  const groups = ARMS.flatMap((arm) => byModel(where(rows, { arm }))
    .filter(([, own]) => own.length)
    .map(([model, own]) =>
      [`${model}: ${own[0].words}`, [...own, ...absent(model, own, "missing")]]));
  const title = "share of the whole difference";
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

// The model's own activations alone can be chosen.
function offerActivations() {
  const own = data.activations[state.model];
  for (const key of ["activation", "first", "second"]) {
    const selects = document.querySelectorAll(`select[data-choose="${key}"]`);
    for (const select of selects) {
      for (const option of select.options) option.hidden = !own.includes(option.value);
    }
    if (!own.includes(state[key])) choose(key, key === "second" ? own.at(-1) : own[0]);
  }
}

view(["model"], offerActivations);
