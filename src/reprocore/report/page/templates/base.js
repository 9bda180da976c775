// What all parts share: the data, what the reader has chosen, and small helpers.
const data = JSON.parse(document.getElementById("data").textContent);
const state = {};
const views = [];

// Rows of a table that was packed as names and values.
const unpack = ({ names, rows }) =>
  rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));

const where = (rows, wanted) =>
  rows.filter((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));

const byId = (id) => document.getElementById(id);

// An element with attributes and children; every text becomes a text node, never markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A number with its interval, in which the interval is set smaller.
function numbered(text) {
  const [first, ...rest] = text.split(" [");
  return rest.length ? [`${first} `, element("span", { class: "ci" }, `[${rest}`)] : [text];
}

// Draw a part now, and again whenever one of its choices changes.
function view(needs, draw) {
  views.push({ needs, draw });
}

function choose(key, value) {
  state[key] = value;
  for (const select of document.querySelectorAll(`select[data-choose="${key}"]`)) {
    select.value = value;
  }
  for (const { needs, draw } of views) if (needs.includes(key)) draw();
}

// Bytes of a text in base64; two bytes a number if `wide`.
function numbers(text, wide = false) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return wide ? new Uint16Array(bytes.buffer) : bytes;
}
