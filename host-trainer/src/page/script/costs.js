// Cycles and executed instructions of a dense layer of int8 on a core. Cycles are those that `inspect
// --for` predicts (host-trainer/src/chips/cycles.rs), with its costs, which the page contains. Executed
// instructions are so many per multiply-accumulate (inputs rounded up to four), per row, and per layer:
// fitted to the table of firmware/README.md, six networks, whose totals they give within 6 %.
const CORES = {
  "Cortex-M0": { timing: "m0", instructions: [3.552, 101.1, 498] },
  "Cortex-M0+": { timing: "m0plus", instructions: [3.552, 101.1, 498] },
  "Cortex-M3": { timing: "m3", instructions: [2.47, 54.72, 335] },
  "Cortex-M4F": { timing: "m4", instructions: [0.911, 25.97, 280] },
  "Cortex-M33": { timing: "m33", instructions: [0.91, 26.09, 282] },
  "FE310": { timing: "fe310", instructions: [3.159, 55.5, 612] },
  "ESP32-C3": { timing: "esp32c3", instructions: [3.159, 55.5, 612] },
  "Hazard3": { timing: "hazard3", instructions: [3.159, 55.5, 612] },
};

/** Cycles and instructions of a layer on a core; null where nothing was measured. */
function layerCost(core, costs, layer, inputBits) {
  if (layer.kind !== "dense" || inputBits !== 8 || layer.tensor.bits !== 8) return null;
  const { inputs, outputs } = layer, words = Math.ceil(inputs / 4);
  const [tiles, left] = [Math.floor(outputs / 4), outputs % 4];
  const parts = [1, words, tiles, left, tiles * words, left * words];
  const [product, row, each] = CORES[core].instructions;
  return {
    cycles: Math.round(parts.reduce((sum, part, index) => sum + part * costs[CORES[core].timing][index + 1], 0)),
    instructions: Math.round(product * 4 * words * outputs + row * outputs + each),
  };
}
