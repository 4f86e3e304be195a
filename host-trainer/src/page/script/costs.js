// Cycles and executed instructions of a dense layer of int8, by core: so many per multiply-accumulate
// (inputs rounded up to four), per row, and per layer. Fitted to the table of firmware/README.md, six
// networks with dense inputs, whose totals they give within 6 %.
const COSTS = {
  "Cortex-M0": { cycles: [4.134, 158.8, 826], instructions: [3.552, 101.1, 498] },
  "Cortex-M0+": { cycles: [4.101, 153.5, 792], instructions: [3.552, 101.1, 498] },
  "Cortex-M3": { cycles: [2.822, 91.43, 506], instructions: [2.47, 54.72, 335] },
  "Cortex-M4F": { cycles: [1.307, 36.55, 488], instructions: [0.911, 25.97, 280] },
  "Cortex-M33": { cycles: [1.174, 33, 439], instructions: [0.91, 26.09, 282] },
  "FE310": { cycles: [3.183, 69.56, 605], instructions: [3.159, 55.5, 612] },
  "ESP32-C3": { cycles: [3.195, 66.58, 727], instructions: [3.159, 55.5, 612] },
  "Hazard3": { cycles: [3.179, 61.12, 681], instructions: [3.159, 55.5, 612] },
};

/** Cycles and instructions of a layer on a core; null where nothing was measured. */
function layerCost(core, layer, inputBits) {
  if (layer.kind !== "dense" || inputBits !== 8) return null;
  const products = Math.ceil(layer.inputs / 4) * 4 * layer.outputs;
  const cost = ([product, row, each]) => Math.round(product * products + row * layer.outputs + each);
  return { cycles: cost(COSTS[core].cycles), instructions: cost(COSTS[core].instructions) };
}
