// The reader's first choices are those that the page came with.
for (const select of document.querySelectorAll("select[data-choose]")) {
  const key = select.dataset.choose;
  if (select.value) state[key] ??= select.value;
  select.addEventListener("change", () => choose(key, select.value));
}
for (const { draw } of [...views]) draw();
document.documentElement.dataset.ready = "yes";
performance.mark("ready");
