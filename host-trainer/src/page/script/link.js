// The computer's end of the link to a board: firmware/LINK.md, protocol version 4.

const PROTOCOL = 5;
const BAUD_RATE = 115200;
/** Milliseconds until a response must have come; an update erases and tests. */
const WAIT = 10_000, LONG_WAIT = 60_000;

const ERRORS = [
  ["Damaged"], ["TooLong", "limit"], ["UnknownRequest"], ["InputLength", "expected", "given"], ["ResponseTooLong"],
  ["NoCounter"], ["NoInput"], ["NoSlots"], ["NoUpdate"], ["TooLarge", "capacity"], ["OutOfOrder", "expected"],
  ["ChunkSize", "unit"], ["Incomplete", "missing"], ["Rejected"], ["Flash"], ["NothingBefore"], ["NotCounts"],
  ["NotReals"], ["NotANumber", "input"], ["RestartFirst"], ["CommandUnsigned"], ["CommandSignature"],
  ["NoChallenge"], ["NoEntropy"], ["NoSensor"], ["SensorFailed"],
];
const REJECTIONS = [
  "it is no model, is damaged, or is beyond the limits of the firmware",
  "no kernel of the board reads the weight layout of a layer: pack the model for its core",
  "it does not lie on a 4-byte boundary", "its scratch memory is too small", "its buffers for frames are too small",
  "its self-tests do not pass", "the board wants a signature: paste the owner's key",
  "it is not signed by the board's key", "its version is older than one that was accepted before",
];
/** Codes of requests. */
const REQUEST = { info: 0, infer: 1, updateBegin: 6, updateChunk: 7, updateFinish: 8, restart: 10, counts: 11, reals: 12, challenge: 13, signed: 14 };

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32/ISO-HDLC. */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const littleEndian = (value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);
const lengthed = (bytes) => [...varint(bytes.length), ...bytes];

/** A message in a frame: COBS between zeros, with its CRC. */
function frameOf(message) {
  const content = [...message, ...littleEndian(crc32(message))];
  const out = [0];
  let at = out.push(1) - 1;
  content.forEach((byte, index) => {
    if (byte !== 0) {
      out.push(byte);
      out[at]++;
    }
    // A block of 254 bytes stands for no zero; none is begun behind the last byte.
    if (byte === 0 || (out[at] === 255 && index + 1 < content.length)) at = out.push(1) - 1;
  });
  return Uint8Array.from([...out, 0]);
}

/** The message in the bytes between two zeros; null if COBS or CRC is wrong. */
function messageOf(frame) {
  const out = [];
  for (let at = 0; at < frame.length;) {
    const code = frame[at];
    if (code === 0 || at + code > frame.length) return null;
    for (let byte = at + 1; byte < at + code; byte++) out.push(frame[byte]);
    at += code;
    if (code < 255 && at < frame.length) out.push(0);
  }
  const message = out.slice(0, -4);
  const isSound = message.length > 0 && littleEndian(crc32(message)).every((byte, index) => byte === out[message.length + index]);
  return isSound ? Uint8Array.from(message) : null;
}

/** Reads the fields of a message in the postcard format. */
class Fields {
  constructor(bytes) { [this.bytes, this.at] = [bytes, 0]; }
  u8() {
    if (this.at >= this.bytes.length) throw new Refusal("The board sent a response that ends too early.");
    return this.bytes[this.at++];
  }
  int() {
    let value = 0, factor = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }
  take(length) { return Uint8Array.from({ length }, () => this.u8()); }
  blob() { return this.take(this.int()); }
  text() { return new TextDecoder().decode(this.blob()); }
  option(read) { return this.u8() === 1 ? read() : null; }
}

function errorOf(fields) {
  const code = fields.int(), [name = `error ${code}`, ...keys] = ERRORS[code] ?? [];
  if (name === "Rejected") {
    const reason = fields.int();
    return `The board rejects the model: ${REJECTIONS[reason] ?? `reason ${reason}`}.`;
  }
  return `The board answers ${name}${keys.map((key) => `, ${key} ${fields.int()}`).join("")}.`;
}

/** A board at a port: what navigator.serial gives, or what looks like it. */
class Board {
  constructor(port) { [this.port, this.sequence, this.waiting, this.queue] = [port, 0, null, Promise.resolve()]; }

  async open(onlost) {
    await this.port.open({ baudRate: BAUD_RATE });
    this.onlost = onlost;
    this.writer = this.port.writable.getWriter();
    this.reader = this.port.readable.getReader();
    this.listening = this.listen();
    return this.info();
  }

  async listen() {
    let frame = [], reason = "The board was unplugged.";
    try {
      for (;;) {
        const { done, value } = await this.reader.read();
        if (done) break;
        for (const byte of value) {
          if (byte !== 0) frame.push(byte);
          else if (frame.length > 0) {
            this.receive(messageOf(frame));
            frame = [];
          }
        }
      }
    } catch (error) {
      reason = `The connection to the board broke: ${error.message || error}.`;
    }
    this.lost = new Refusal(reason);
    this.waiting?.fail(this.lost);
    if (!this.isClosed) this.onlost(reason);
  }

  receive(message) {
    if (!message || !this.waiting) return;
    const fields = new Fields(message);
    const sequence = fields.int(), code = fields.int();
    if (code === 3 && (sequence === 0 || sequence === this.sequence)) this.waiting.fail(new Refusal(errorOf(fields)));
    else if (sequence === this.sequence) this.waiting.done({ code, fields });
  }

  /** Sends a request, and returns the fields of its response of this code. */
  ask(request, body, expected, wait = WAIT) {
    const next = this.queue.then(() => this.exchange(request, body, expected, wait));
    this.queue = next.catch(() => {});
    return next;
  }

  async exchange(request, body, expected, wait) {
    if (this.lost) throw this.lost;
    this.sequence = this.sequence % 65535 + 1;
    const response = new Promise((done, fail) => { this.waiting = { done, fail }; });
    const timer = setTimeout(() => this.waiting?.fail(new Refusal(`The board does not answer within ${wait / 1000} s.`)), wait);
    try {
      await this.writer.write(frameOf([...varint(this.sequence), ...varint(request), ...body]));
      const { code, fields } = await response;
      if (code !== expected) throw new Refusal(`The board answers with response ${code} where ${expected} is due.`);
      return fields;
    } catch (error) {
      throw error instanceof Refusal ? error : new Refusal(`The connection to the board broke: ${error.message || error}.`);
    } finally {
      clearTimeout(timer);
      response.catch(() => {});
      this.waiting = null;
    }
  }

  async info() {
    const f = await this.ask(REQUEST.info, [], 0);
    const protocol = f.u8();
    if (protocol !== PROTOCOL) throw new Refusal(`The board speaks version ${protocol} of the protocol, and this page version ${PROTOCOL}. Update ${protocol < PROTOCOL ? "its firmware" : "the page"}.`);
    const info = {
      board: f.text(), firmware: f.text(), model: f.text(), checksum: f.int(), input_bytes: f.int(), output_bytes: f.int(),
      layers: f.u8(), model_bytes: f.int(), in_ram: f.u8() === 1, scratch_bytes: f.int(), stack_bytes: f.option(() => f.int()), bad_frames: f.int(),
      saturated_inputs: f.int(),
      slots: f.option(() => ({ running: f.option(() => f.u8()), capacity: f.int(), chunk: f.int(), unit: f.int(), updates: f.int(), erases: [f.int(), f.int()] })),
      signed: f.option(() => ({ version: f.option(() => f.int()), floor: f.int(), commands: f.u8() === 1 })),
    };
    this.last = info;
    return info;
  }

  /** The bytes of the board's output for readings of a model of this encoding. */
  async infer(encoding, bytes) {
    const request = { reals: REQUEST.reals, counts: REQUEST.counts }[encoding] ?? REQUEST.infer;
    return (await this.ask(request, lengthed(bytes), 1)).blob();
  }

  /** Sends a model to the idle slot, signed if there is a key, and restarts the board. */
  async update(file, key, onprogress) {
    const { slots, signed } = await this.info();
    if (!slots) throw new Refusal("The board has no slots for models: its model is built in.");
    if (signed && !key) throw new Refusal("The board takes only signed models: paste the owner's key.");
    const bytes = key ? await signedModel(file, key) : file;
    if (bytes.length > slots.capacity) throw new Refusal(`The model has ${bytes.length} bytes, and a slot of the board takes ${slots.capacity}.`);
    await this.ask(REQUEST.updateBegin, varint(bytes.length), 7, LONG_WAIT);
    for (let offset = 0; offset < bytes.length; offset += slots.chunk) {
      await this.ask(REQUEST.updateChunk, [...varint(offset), ...lengthed(bytes.subarray(offset, offset + slots.chunk))], 7);
      onprogress(Math.min(1, (offset + slots.chunk) / bytes.length));
    }
    await this.ask(REQUEST.updateFinish, [], 8, LONG_WAIT);
    if (!signed?.commands) return this.ask(REQUEST.restart, [], 7);
    const nonce = (await this.ask(REQUEST.challenge, [], 9)).take(16);
    // Restart is command 1.
    const signature = await signatureOf(Uint8Array.from([0x54, 0x48, 0x4d, 0x43, 1, ...nonce]), key);
    return this.ask(REQUEST.signed, [1, ...lengthed(signature)], 7);
  }

  async close() {
    this.isClosed = true;
    await this.reader.cancel().catch(() => {});
    this.reader.releaseLock();
    this.writer.releaseLock();
    await this.port.close().catch(() => {});
  }
}

/** A model file with its version, the seconds since 1970, and its signature. */
async function signedModel(file, key) {
  const version = littleEndian(Math.floor(Date.now() / 1000));
  const message = Uint8Array.from([...file, 0x54, 0x48, 0x4d, 0x53, ...version, 0, 0, 0, 0]);
  return Uint8Array.from([...message, ...await signatureOf(message, key)]);
}

/** The Ed25519 signature of bytes by a secret key in PEM. */
async function signatureOf(bytes, pem) {
  const body = pem.match(/-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----/)?.[1];
  if (!body) throw new Refusal("This is no secret key: paste the whole file that `host-trainer device new-key` wrote.");
  try {
    const key = await crypto.subtle.importKey("pkcs8", fromBase64(body.replace(/\s/g, "")), "Ed25519", false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("Ed25519", key, bytes));
  } catch (error) {
    throw new Refusal(`The key cannot be used: ${error.message || error}. The browser must know Ed25519.`);
  }
}
