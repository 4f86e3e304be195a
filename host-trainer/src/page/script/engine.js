// The engine of the device as WebAssembly. An instance of the module runs one model.

/** An error whose message is for the reader of the page. */
class Refusal extends Error {}

/** Forms of an input, as the module numbers them. */
const FORMS = { quantized: 0, pixels: 0, counts: 1, reals: 2 };

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Compiles the module that is inside the page, packed by gzip. */
async function compileModule(text) {
  if (typeof WebAssembly !== "object") {
    throw new Refusal("This browser has no WebAssembly, which runs the model. Open the page in another browser.");
  }
  if (typeof DecompressionStream !== "function") {
    throw new Refusal("This browser cannot unpack the engine. Update it, or open the page in another browser.");
  }
  const packed = new Blob([fromBase64(text)]).stream();
  const bytes = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  return WebAssembly.compile(bytes);
}

/** A model in an instance of the module. */
class Engine {
  /** Checks a model file with the parser of the device, and loads it. */
  static async load(module, file) {
    const engine = new Engine();
    engine.file = file;
    engine.exports = (await WebAssembly.instantiate(module)).exports;
    engine.write(file);
    const loaded = engine.exports.thimble_load();
    if (loaded !== 0) throw new Refusal(engine.text());
    engine.model = JSON.parse(engine.text());
    return engine;
  }

  /** Copies bytes into the buffer of the module. */
  write(...parts) {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    let at = this.exports.thimble_buffer(length);
    for (const part of parts) {
      new Uint8Array(this.exports.memory.buffer, at, part.length).set(part);
      at += part.length;
    }
  }

  result() {
    const { memory, thimble_result: at, thimble_result_len: length } = this.exports;
    return new Uint8Array(memory.buffer, at(), length()).slice();
  }

  text() {
    return new TextDecoder().decode(this.result());
  }

  /** Runs the self-tests of the model file; returns how many passed. */
  selfTest() {
    const passed = this.exports.thimble_self_test();
    if (passed < 0) throw new Refusal(this.text());
    return passed;
  }

  /** Runs one input: real numbers, counts, or values, as the model takes them. */
  run(readings) {
    const { encoding } = this.model.input;
    const typed = { reals: Float32Array, counts: Int16Array, pixels: Uint8Array };
    const values = encoding === "quantized" ? this.quantized(readings) : typed[encoding].from(readings);
    return this.runBytes(new Uint8Array(values.buffer), FORMS[encoding]);
  }

  /** The bytes of one input as a board takes them: readings, or the values that the engine made of them. */
  boardBytes(readings, answer) {
    const typed = { reals: Float32Array, counts: Int16Array }[this.model.input.encoding];
    return new Uint8Array(typed ? typed.from(readings).buffer : answer.input.buffer);
  }

  /** Runs the bytes of one input. */
  runBytes(bytes, form) {
    this.write(bytes);
    if (this.exports.thimble_run(form) !== 0) throw new Refusal(this.text());
    const { input, output, layers } = this.model;
    const result = this.result(), view = new DataView(result.buffer);
    let at = 12;
    const reals = new Float32Array(result.buffer.slice(at, at += 4 * output.len));
    const take = (length, bits) => {
      const part = result.slice(at, at += length * bits / 8);
      return bits === 8 ? new Int8Array(part.buffer) : new Int16Array(part.buffer);
    };
    const first = take(input.len, input.tensor.bits);
    const outputs = layers.map((layer) => take(layer.outputs, layer.tensor.bits));
    return {
      saturated: view.getUint32(0, true), class: view.getInt32(4, true), probability: view.getFloat32(8, true),
      reals, input: first, layers: outputs, output: outputs[outputs.length - 1],
    };
  }

  /** Values of the input for real numbers, where the model leaves this to its caller. */
  quantized(readings) {
    const { scale, zero_point: zero, bits } = this.model.input.tensor;
    const [low, high] = bits === 8 ? [-128, 127] : [-32768, 32767];
    const value = (reading) => Math.max(low, Math.min(high, Math.round(reading / scale) + zero));
    return (bits === 8 ? Int8Array : Int16Array).from(readings, value);
  }

  /** Prepares the pixels of an image as they were for training. */
  prepare(words, { width, height, data }) {
    const text = new TextEncoder().encode(words);
    this.write(text, data);
    if (this.exports.thimble_prepare(text.length, width, height) !== 0) throw new Refusal(this.text());
    const result = this.result(), [inverted, levels, colors] = result, view = new DataView(result.buffer);
    return { inverted: inverted === 1, levels, colors, height: view.getUint16(3, true), width: view.getUint16(5, true), bytes: result.slice(7) };
  }
}
