// Charts: a specification of the page with its places filled, drawn one after the other.
const MOST_WRITTEN = 66;
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

// A title with its unit on a line of its own, as panels are narrow.
const lined = (title) => title?.length > 24 ? title.split(/ (?=\()/) : title;

function chart(place, name, rows, places, words) {
  if (!rows.length) {
    waiting.delete(place);
    place.removeAttribute("role");
    place.removeAttribute("aria-label");
    place.replaceChildren(element("p", { class: "missing" }, "not run, or not measured"));
    return;
  }
  delete document.documentElement.dataset.drawn;
  later(place, async () => {
    const own = { ...places, title: lined(places.title) };
    const spec = { ...filled(name, own), datasets: { rows }, description: words };
    if (spec.height.step) spec.height = spec.height.step * rowsOf(rows);
    await vegaEmbed(place, spec, { actions: false, renderer: "svg" });
    // Vega names every mark for itself, in a way that readers of screens stumble over.
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", words);
    place.querySelector("svg").setAttribute("aria-hidden", "true");
  });
}

// How many rows a chart has whose height is given by the row.
function rowsOf(rows) {
  const name = rows[0].label === undefined ? "seed_b" : "label";
  return new Set(rows.map((row) => row[name])).size;
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

// The axis of each group: the same for all, unless the reader wants each to have its own.
function axis(rows, more) {
  const shared = limits(rows, more);
  return (own) => state.axis === "own" ? limits(own, more) : shared;
}

// One chart for each group: its title, its rows, and what to know of rows that are not there.
function grid(id, name, groups, places, words, ends = () => ({})) {
  const place = byId(id);
  if (!place) return;
  for (const [title, rows, note = ""] of groups) {
    let figure = [...place.children].find((child) => child.dataset.title === title);
    if (!figure) {
      const plot = element("div", { class: "chart" });
      const caption = element("figcaption", {}, title, element("span", { class: "where" }));
      figure = element("figure", { "data-title": title }, caption, plot);
      place.append(figure);
    }
    figure.querySelector(".where").textContent = note;
    const own = { ...places, ...ends(rows) };
    chart(figure.lastChild, name, rows, own, `${title}: ${words}. ${described(rows)}`);
  }
  for (const child of [...place.children]) {
    if (!groups.some(([title]) => title === child.dataset.title)) child.remove();
  }
}

const described = (rows) =>
  rows.length > 12 ? "" : rows.map((r) => `${r.label ?? ""} ${r.why || r.text}`).join("; ");

// A square for each pair, on both sides of the diagonal.
function heat(place, pairs, one, other, measure) {
  const known = pairs.filter((row) => (row[measure] ?? null) !== null);
  const rows = known.flatMap((row) => {
    const text = known.length > MOST_WRITTEN ? "" : row[measure].toPrecision(3);
    const square = { value: row[measure], text };
    return [{ ...square, seed_a: row[one], seed_b: row[other] },
      { ...square, seed_a: row[other], seed_b: row[one] }];
  });
  const values = rows.map((row) => row.value);
  const { heading } = data.measures[measure];
  const ends = { low: Math.min(...values), high: Math.max(...values) };
  chart(place, "heat", rows, { title: heading, ...ends }, `${heading} of every pair`);
}
