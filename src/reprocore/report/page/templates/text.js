// The text, each character with what the seeds predict there; and what the seeds have written.
const RANKS = 3;
const COLOURS = {
  disagreement: { most: 1, low: "no seed", high: "every seed" },
  total_variation: { most: 0.5, low: "0", high: "0.5 or more" },
};
const characters = data.text.blocks.flatMap((block) => block.characters);
const NAMES = { " ": "space", "↵\n": "end of line" };
const shownSign = (sign) => ({ " ": "␣", "↵\n": "↵" })[sign] ?? sign;
const passages = byId("passages");
let here = 0;
passages.setAttribute("tabindex", "0");
passages.setAttribute("role", "listbox");
passages.setAttribute("aria-label", "Characters; move with the arrow keys");

const textOf = () => data.text.of[state.model]?.[state.activation];

view(["model", "activation", "colour"], () => {
  const own = textOf();
  const { low, high, most } = COLOURS[state.colour];
  document.querySelector("[data-scale-low]").textContent = low;
  document.querySelector("[data-scale-high]").textContent = high;
  passages.removeAttribute("aria-activedescendant");
  if (!own) {
    passages.replaceChildren(element("p", { class: "missing" }, "not run"));
    byId("character").replaceChildren();
    return;
  }
  const shares = numbers(own[state.colour]);
  const seeds = numbers(own.disagreement);
  let number = 0;
  passages.replaceChildren(...data.text.blocks.map((block, index) => {
    const label = `passage ${index + 1}`;
    const made = element("p", { class: "passage", role: "group", "aria-label": label });
    made.append(element("span", { class: "before", "aria-hidden": "true" }, `…${block.before}`));
    for (const sign of block.characters) {
      const share = Math.min(shares[number] / 255 / most, 1);
      const kind = seeds[number] >= 255 / 2 ? "c half" : "c";
      const place = { class: kind, style: `--d:${share.toFixed(3)}`, role: "option" };
      const name = { "aria-label": NAMES[sign] ?? sign, "aria-selected": "false" };
      made.append(element("span", { ...place, ...name, id: `c${number}` }, sign));
      number += 1;
    }
    return made;
  }));
  show(Math.min(here, characters.length - 1));
});

// What the row of a prediction (0: the mean of all seeds) expects at a character.
function guesses(own, row, at) {
  const index = row * characters.length + at;
  const ids = numbers(own.ids, data.text.wide);
  const shares = numbers(own.probabilities);
  const ranked = Array.from({ length: RANKS }, (_, rank) => ({
    sign: data.text.symbols[ids[index * RANKS + rank]],
    share: shares[index * (RANKS + 1) + rank] / 255,
  }));
  return { ranked, right: shares[index * (RANKS + 1) + RANKS] / 255 };
}

const percent = (share) => `${Math.round(100 * share)}%`;

function predictionRow(name, own, row, at) {
  const { ranked, right } = guesses(own, row, at);
  const cells = ranked.map(({ sign, share }) => {
    const kind = sign === characters[at] ? "guess right" : "guess";
    const words = element("span", { class: kind, style: `--p:${share.toFixed(3)}` });
    words.append(element("b", {}, shownSign(sign)), ` ${percent(share)}`);
    return element("td", {}, words);
  });
  return element("tr", {}, element("th", { scope: "row" }, name), ...cells, number(right, percent(right)));
}

function show(at) {
  const own = textOf();
  if (!own) return;
  for (const old of passages.querySelectorAll(".here")) {
    old.classList.remove("here");
    old.setAttribute("aria-selected", "false");
  }
  here = at;
  const sign = byId(`c${at}`);
  sign.classList.add("here");
  sign.setAttribute("aria-selected", "true");
  passages.setAttribute("aria-activedescendant", sign.id);
  const share = numbers(own.disagreement)[at] / 255;
  const apart = numbers(own.total_variation)[at] / 255;
  const heads = ["seed", "likeliest", "second", "third", "true"]
    .map((head) => element("th", { scope: "col" }, head));
  const rows = [["all", 0], ...own.seeds.map((seed, i) => [String(seed), i + 1])]
    .map(([name, row]) => predictionRow(name, own, row, at));
  byId("character").replaceChildren(
    element("h3", {}, `The true character: ${shownSign(characters[at])}`),
    element("p", {}, `${Math.round(share * own.seeds.length)} of ${own.seeds.length} seeds expect ` +
      `another character than all do on average; total variation ${apart.toFixed(2)}.`),
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...rows)));
}

const numberOf = (target) => target.closest?.("[role=option]")?.id.slice(1);

for (const event of ["pointerover", "click"]) {
  passages.addEventListener(event, ({ target }) => {
    const found = numberOf(target);
    if (found !== undefined) show(Number(found));
  });
}

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
passages.addEventListener("keydown", (event) => {
  const last = characters.length - 1;
  const length = data.text.blocks[0]?.characters.length ?? 0;
  const steps = { ...STEPS, ArrowDown: length, ArrowUp: -length, Home: -here, End: last - here };
  const step = steps[event.key];
  if (step === undefined || !textOf()) return;
  event.preventDefault();
  show(Math.min(Math.max(here + step, 0), last));
  byId(`c${here}`).scrollIntoView({ block: "nearest" });
});
passages.addEventListener("focus", () => show(here));

const kinds = unpack(data.kinds);
view(["model", "activation"], () => {
  const own = where(kinds, { model: state.model, activation: state.activation });
  const names = [...new Set(own.map((row) => row.stratum))];
  const table = byId("kinds-table");
  table.caption.textContent = `${state.model} with ${data.labels[state.activation]}`;
  table.tBodies[0].replaceChildren(...names.map((stratum) => {
    const of = (measure) => where(own, { stratum, measure })[0];
    const texts = ["churn", "total_variation", "loss"].map((name) => of(name)?.text ?? "–");
    const positions = own.find((row) => row.stratum === stratum).positions;
    return element("tr", {}, element("th", { scope: "row" }, stratum.replaceAll("_", " ")),
      number(positions, String(positions)), ...texts.map((text) => number(parseFloat(text), text)));
  }));
});

const writtenOf = () => data.generated.of[state.model]?.[state.activation] ?? {};

view(["model", "activation"], () => {
  const seeds = Object.keys(writtenOf());
  for (const [key, index] of [["one", 0], ["other", 1]]) {
    const select = document.querySelector(`select[data-choose="${key}"]`);
    select.replaceChildren(...seeds.map((seed) => element("option", { value: seed }, seed)));
    if (!seeds.includes(state[key])) state[key] = seeds[Math.min(index, seeds.length - 1)];
    select.value = state[key];
  }
});

view(["model", "activation", "one", "other"], () => {
  const own = writtenOf();
  const missing = element("p", { class: "missing" }, "not run");
  const made = data.generated.prompts.map((prompt, index) => {
    const texts = [state.one, state.other].map((seed) => own[seed]?.[index] ?? "");
    const same = shared(...texts.map((text) => Array.from(text)));
    const columns = texts.map((text, side) => {
      const signs = Array.from(text);
      const start = signs.slice(0, same).join("");
      const rest = element("mark", {}, signs.slice(same).join(""));
      const head = element("h3", {}, `seed ${[state.one, state.other][side]}`);
      return element("div", {}, head, element("p", {}, start, rest));
    });
    return element("div", { class: "written" },
      element("p", { class: "before" }, `…${prompt}`), ...columns);
  });
  byId("written").replaceChildren(...(Object.keys(own).length ? made : [missing]));
});

// How many characters two texts begin alike with.
function shared(one, other) {
  const found = one.findIndex((sign, index) => sign !== other[index]);
  return found < 0 ? one.length : found;
}
