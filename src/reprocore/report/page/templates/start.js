// The reader's first choices are those that the page came with.
for (const select of document.querySelectorAll("select[data-choose]")) {
  const key = select.dataset.choose;
  if (select.value) state[key] ??= select.value;
  select.addEventListener("change", () => choose(key, select.value));
}
if (passages) {
  passages.setAttribute("tabindex", "0");
  passages.setAttribute("role", "listbox");
  passages.setAttribute("aria-label", "Characters; move with the arrow keys");
}
view(["model"], offerActivations);
offerActivations();
for (const { draw } of [...views]) draw();
document.documentElement.dataset.ready = "yes";
