// The meaning of a model's inputs and outputs.

/** Words for the preprocessing of images, of a model that was not written with this page. */
function guessedPreparation(model) {
  if (model.preparation) return { words: model.preparation, origin: "as the model was trained" };
  const shape = model.input.shape;
  const sides = {
    2: () => [...shape, 1],
    3: () => (shape[2] === 1 || shape[2] === 3 ? shape : shape[0] === 1 ? [shape[1], shape[2], 1] : null),
  }[shape.length]?.();
  if (!sides || sides[0] < 2 || sides[1] < 2) return null;
  const [height, width, colors] = sides;
  const digits = model.output.labels.length === 10 && model.output.labels.every((label, index) => label === String(index));
  const isDigits = digits && colors === 1;
  const levels = model.input.encoding === "pixels" ? Math.round(1 / model.input.tensor.scale) : 255;
  const words = `${height}x${width} ${colors === 3 ? "rgb" : "grayscale"} ` +
    (isDigits ? "fit=mnist invert=auto" : "fit=stretch invert=no") + " background=white" +
    (levels > 0 && levels < 255 ? ` levels=${levels}` : "");
  return { words, origin: "a guess: the preprocessing of the training images is unknown" };
}

/** Height, width and colors of a prepared image, behind a slash where it is averaged to fewer pixels. */
function pictureSize(words) {
  const [height, width] = words.split(" ")[0].split("/").pop().split("x").map(Number);
  return { height, width, colors: words.includes(" rgb") ? 3 : 1 };
}

/** The features of a model, each with the readings that its input can hold. */
function featuresOf(model) {
  const { len, encoding, channels, tensor } = model.input;
  const ends = tensor.bits === 8 ? [-128, 127] : [-32768, 32767];
  const steps = ends.map((end) => end - tensor.zero_point);
  return Array.from({ length: len }, (_, index) => {
    const { name = "", unit = "", slope = 1, intercept = 0 } = model.features[index] ?? {};
    let low, high, step, isIgnored = false;
    if (encoding === "pixels") {
      [low, high, step] = [0, Math.max(1, Math.min(255, Math.round(1 / tensor.scale))), 1];
    } else if (channels.length > 0) {
      const { offset, factor } = channels[index % channels.length];
      isIgnored = factor === 0;
      [low, high] = isIgnored ? [offset - 1, offset + 1] : steps.map((count) => offset + count / factor).sort((a, b) => a - b);
      step = isIgnored ? 1 : 1 / Math.abs(factor);
      if (encoding === "counts") {
        [low, high, step] = [Math.max(-32768, Math.ceil(low)), Math.min(32767, Math.floor(high)), 1];
      }
    } else {
      [low, high] = steps.map((count) => count * tensor.scale);
      step = tensor.scale;
    }
    const counts = encoding === "counts";
    return {
      index, low, high, step, isIgnored,
      name: name || `input ${index}`,
      unit: counts ? "counts" : unit,
      real: counts && unit ? (value) => `${number(slope * value + intercept)} ${unit}` : null,
    };
  });
}

/** Names of the outputs, with units. */
function outputNames(model) {
  const { kind, len, labels, names } = model.output;
  if (kind !== "values") return labels;
  return Array.from({ length: len }, (_, index) => names[index]?.name || (len === 1 ? "output" : `output ${index}`));
}

const outputUnit = (model, index) => (model.output.kind === "values" && model.output.names[index]?.unit) || "";

/** The last layer of a model. */
const lastKind = (model) => model.layers[model.layers.length - 1].kind;

/** Returns true for a classifier whose outputs are logits: their softmax are probabilities. */
const areLogits = (model) => model.output.kind === "classes" && lastKind(model) === "dense";

/** Returns true for a classifier whose numbers are probabilities. */
const areProbabilities = (model) => model.output.kind === "probability" || lastKind(model) === "softmax" || areLogits(model);

/** A number per class, or per output, of an answer of the engine. */
function shares(model, answer) {
  if (areLogits(model)) return softmax(Array.from(answer.reals));
  if (model.output.kind !== "probability") return Array.from(answer.reals);
  return [1 - answer.reals[0], answer.reals[0]];
}

/** Four significant digits. */
function number(value) {
  if (!Number.isFinite(value)) return String(value).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** An answer in words. */
function spokenAnswer(model, answer) {
  const each = shares(model, answer), names = outputNames(model);
  if (model.output.kind === "values") {
    return each.map((value, index) => `${names[index]} ${number(value)} ${outputUnit(model, index)}`.trim()).join(", ");
  }
  const name = model.output.labels[answer.class];
  return areProbabilities(model) ? `${name}, ${percent(each[answer.class])}` : name;
}

const percent = (share) => `${(100 * share).toFixed(share > 0.0995 && share < 0.9995 ? 1 : 2)} %`;

/** Difference of an answer from another: in the number of its class, or the largest of all outputs. */
function movement(model, from, to) {
  const [a, b] = [shares(model, from), shares(model, to)];
  if (model.output.kind !== "values") return b[from.class] - a[from.class];
  return a.reduce((most, value, index) => (Math.abs(b[index] - value) > Math.abs(most) ? b[index] - value : most), 0);
}

/** The features by how much the answer moves when each alone is set to the middle of its range. */
function moved(engine, features, readings, answer) {
  const changed = features.filter((feature) => !feature.isIgnored).map((feature) => {
    const other = Array.from(readings);
    const middle = (feature.low + feature.high) / 2;
    other[feature.index] = engine.model.input.encoding === "reals" ? middle : Math.round(middle / feature.step) * feature.step;
    return { feature, change: -movement(engine.model, answer, engine.run(other)) };
  });
  return changed.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}
