// Cycles and executed instructions of a dense layer of int8 on a core, by the costs of its parts that the page contains
// (host-trainer/src/chips/cycles.rs).

/** Cores, each with its names in the costs: of its timings, where some are published, and of its code. */
const CORES = {
  "Cortex-M0": ["m0", "cortex-m0"],
  "Cortex-M0+": ["m0plus", "cortex-m0"],
  "Cortex-M3": ["m3", "cortex-m3"],
  "Cortex-M4F": ["m4", "cortex-m4"],
  "Cortex-M7": [null, "cortex-m7"],
  "Cortex-M33": ["m33", "cortex-m33"],
  "Cortex-M55": [null, "cortex-m55"],
  "FE310": ["fe310", "rv32"],
  "ESP32-C3": ["esp32c3", "rv32"],
  "Hazard3": ["hazard3", "rv32"],
};

/** Costs of the parts of an inference on a core, of small layers or of others: cycles, null where they are not known, and instructions. */
function coreCosts(core, costs, isSmall) {
  const [timing, code] = CORES[core];
  const [cycles, instructions] = isSmall ? [costs.small_cycles, costs.small_instructions] : [costs.cycles, costs.instructions];
  return [timing && cycles[timing], instructions[code] ?? costs.instructions[code]];
}

/** Cycles and instructions of a call itself, whose first layer is given. */
function callCost(core, costs, first) {
  return coreCosts(core, costs, first.is_small).map((parts) => parts && Math.round(parts[0]));
}

/** Cycles and instructions of a layer on a core; null where nothing was measured. */
function layerCost(core, costs, layer, inputBits) {
  if (layer.kind !== "dense" || inputBits !== 8 || layer.tensor.bits !== 8) return null;
  const { inputs, outputs } = layer, words = Math.ceil(inputs / 4);
  const [tiles, left] = [Math.floor(outputs / 4), outputs % 4];
  const numbers = [1, words, tiles, left, tiles * words, left * words];
  return coreCosts(core, costs, layer.is_small).map(
    (parts) => parts && Math.round(numbers.reduce((sum, number, index) => sum + number * parts[index + 1], 0)));
}
