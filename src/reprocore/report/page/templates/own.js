// The one chart of models of one's own.
const pairs = unpack(data.pairs);
if (pairs.length) {
  view(["measure", "group"], () => {
    const own = where(pairs, { group: state.group });
    heat(byId("pairs-chart"), own, "model_a", "model_b", state.measure);
  });
}
