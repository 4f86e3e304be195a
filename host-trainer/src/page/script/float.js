// The float network of the run, for comparison with the engine's answers.

const SQRT_HALF = Math.SQRT1_2;

/** The error function by its series, and by a continued fraction beyond 2.5; its error is below 1e-12. */
function erf(x) {
  const z = Math.abs(x), sign = Math.sign(x);
  if (z > 6) return sign;
  if (z > 2.5) {
    let fraction = z;
    for (let term = 60; term > 0; term--) fraction = z + term / 2 / fraction;
    return sign * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction);
  }
  let sum = z, term = z;
  for (let n = 1; n < 80; n++) {
    term *= -z * z / n;
    sum += term / (2 * n + 1);
  }
  return sign * 2 / Math.sqrt(Math.PI) * sum;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const elu = (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x));
const hardSigmoid = (x, slope) => Math.max(0, Math.min(1, slope * x + 0.5));

/** Activation functions by the names of presets, with Keras's definitions. */
const ACTIVATIONS = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  leaky_relu: (x, slope) => (x < 0 ? x * slope : x),
  elu,
  selu: (x) => 1.0507009873554805 * elu(x, 1.6732632423543772),
  gelu: (x) => x * (1 + erf(x * SQRT_HALF)) / 2,
  gelu_tanh: (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x * sigmoid(x),
  hard_silu: (x) => x * hardSigmoid(x, 1 / 6),
  mish: (x) => x * Math.tanh(softplus(x)),
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  tanh: Math.tanh,
  sigmoid,
  hard_sigmoid: hardSigmoid,
  exponential: Math.exp,
};

function softmax(row) {
  const largest = row.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = row.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function activate(row, { name, parameter }) {
  if (name === "softmax") return softmax(row);
  return row.map((value) => ACTIVATIONS[name](value, parameter));
}

class FloatNetwork {
  constructor(description) {
    this.description = description;
    this.layers = description.layers.map((layer) => ({
      ...layer, parameters: layer.parameters && new Float32Array(fromBase64(layer.parameters).buffer),
    }));
  }

  /** The outputs for readings as they come from the sensor, or for the shares of pixels. */
  run(readings) {
    const { inputs, head, targets } = this.description;
    let row = Array.from(readings);
    if (inputs) row = row.map((value, index) => (value - inputs.offsets[index]) * inputs.factors[index]);
    for (const layer of this.layers) row = FloatNetwork.forward(layer, row);
    row = head === "softmax" ? softmax(row) : head === "sigmoid" ? row.map(sigmoid) : row;
    return targets ? row.map((value, index) => value / targets.factors[index] + targets.offsets[index]) : row;
  }

  static forward(layer, row) {
    if (layer.kind === "activation") return activate(row, layer.activation);
    const { inputs, outputs, parameters } = layer;
    if (layer.kind === "affine") return row.map((value, index) => value * parameters[2 * index] + parameters[2 * index + 1]);
    const sums = new Array(outputs);
    for (let output = 0; output < outputs; output++) {
      let sum = parameters[inputs * outputs + output];
      const start = inputs * output;
      for (let input = 0; input < inputs; input++) sum += parameters[start + input] * row[input];
      sums[output] = sum;
    }
    return activate(sums, layer.activation);
  }

  /** A number per class, or per output. */
  shares(readings) {
    const row = this.run(readings);
    return this.description.classes > row.length ? [1 - row[0], row[0]] : row;
  }
}
