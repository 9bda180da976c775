// The one chart of models of one's own.
const pairs = unpack(data.pairs);
view(["measure"], () => heat(byId("pairs-chart"), pairs, "one", "other", state.measure));
