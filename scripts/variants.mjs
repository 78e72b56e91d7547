// One compilation, four builds. The compiler makes the relaxed one; of it follow, at the same length,
//
//   portable        each multiply-add rounds twice: a b c relaxed_madd is a b (local = c) mul local add;
//                   of a relaxed dot product the first operand is left, since nothing may ask for it there
//   …-threads       the memory that is imported is shared, and its maximum named
//
// so that one text holds all of them (src/instance/text.ts), and they cannot differ in anything else.

/** f32x4.relaxed_madd, and as many bytes of nothing as the portable build has more. */
const MADD = [0xfd, 0x85, 0x02];
const NOPS = [1, 1, 1, 1, 1, 1, 1];
/** i16x8.relaxed_dot_i8x16_i7x16_s, and the form that adds; then what drops all operands but one. */
const DOTS = [
  [0xfd, 0x92, 0x02],
  [0xfd, 0x93, 0x02],
];
const DROPS = [
  [0x1a, 0x01, 0x01],
  [0x1a, 0x1a, 0x01],
];
/** What relaxedSimd() returns, of assembly/module.ts. */
const RELAXED = 0xd2;
const V128 = 0x7b;

/** Stand for what differs: a multiply-add with the local it needs, a byte, the memory's limits. */
const madd = (local) => ({ size: 10, local });
const either = (relaxed, portable) => ({ size: 1, bytes: [portable, relaxed] });
const FLAG = either(RELAXED, 0x80);
const LIMITS = { size: 5 };

const sizeOf = (symbols) =>
  symbols.reduce((sum, symbol) => sum + (typeof symbol === "number" ? 1 : symbol.size), 0);

function leb(number) {
  const bytes = [];
  for (let rest = number; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 128);
  }
}

class Reader {
  at = 0;
  constructor(bytes) {
    this.bytes = bytes;
  }
  get done() {
    return this.at >= this.bytes.length;
  }
  byte() {
    return this.bytes[this.at++];
  }
  number() {
    for (let number = 0, shift = 0; ; shift += 7) {
      const byte = this.byte();
      number |= (byte & 127) << shift;
      if (byte < 128) return number >>> 0;
    }
  }
  take(count) {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}

/** The relaxed build as bytes and what stands between them; it has so many multiply-adds and dot products. */
export function symbolsOf(wasm, madds, dots) {
  const reader = new Reader(wasm);
  const symbols = [...reader.take(8)];
  let parameters = [];
  let functions = [];
  while (!reader.done) {
    const id = reader.byte();
    const content = reader.take(reader.number());
    const section = new Reader(content);
    let written = [...content];
    if (id === 1) parameters = section.list(() => typeOf(section));
    if (id === 2) written = importsOf(section);
    if (id === 3) functions = section.list(() => parameters[section.number()]);
    if (id === 10) {
      const bodies = section.list((_, index) => bodyOf(section, functions[index]));
      written = [
        ...leb(bodies.length),
        ...bodies.flatMap((body) => [...leb(sizeOf(body)), ...body]),
      ];
    }
    symbols.push(id, ...leb(sizeOf(written)), ...written);
  }
  const count = (kind) => symbols.filter(kind).length;
  const found = [
    count(({ local }) => local !== undefined),
    (count(({ bytes }) => bytes) - 1) / 3,
    count((x) => x === FLAG),
    count((x) => x === LIMITS),
  ];
  const wanted = [madds, dots, 1, 1];
  if (`${found}` !== `${wanted}`) throw new Error(`${found} for ${wanted} things that differ`);
  return symbols;
}

/** How many parameters a type has. */
function typeOf(section) {
  section.byte();
  const count = section.take(section.number()).length;
  section.take(section.number());
  return count;
}

function importsOf(section) {
  const written = leb(section.number());
  while (!section.done) {
    const start = section.at;
    for (const _ of ["module", "name"]) section.take(section.number());
    const kind = section.byte();
    if (kind !== 2) {
      if (kind === 1) section.byte();
      // A function's type; a table's limits; a global's type.
      if (kind === 1 && section.byte() & 1) section.number();
      if (kind === 3) section.byte();
      section.number();
      written.push(...section.bytes.subarray(start, section.at));
      continue;
    }
    written.push(...section.bytes.subarray(start, section.at), LIMITS);
    const limits = section.take(2);
    if (limits[0] !== 0 || limits[1] !== 1) throw new Error(`a memory of limits ${limits}`);
  }
  return written;
}

/** A function's locals and code, with one more local where it multiplies and adds. */
function bodyOf(section, parameters) {
  const body = new Reader(section.take(section.number()));
  const locals = body.list(() => ({ count: body.number(), type: body.byte() }));
  const local = locals.reduce((sum, { count }) => sum + count, parameters);
  const code = [...body.bytes.subarray(body.at)];
  const written = [];
  for (let at = 0; at < code.length; at++) {
    const starts = (bytes) => bytes.every((byte, offset) => code[at + offset] === byte);
    const dot = DOTS.findIndex(starts);
    if (starts(MADD)) written.push(madd(local));
    else if (dot >= 0) written.push(...DOTS[dot].map((byte, i) => either(byte, DROPS[dot][i])));
    else {
      written.push(code[at]);
      continue;
    }
    at += 2;
  }
  if (written.some((symbol) => symbol.local !== undefined)) locals.push({ count: 1, type: V128 });
  // i32.const RELAXED, of two bytes.
  if (`${code}` === `${[0x41, RELAXED, 0, 0x0b]}`) written[1] = FLAG;
  const declared = locals.flatMap(({ count, type }) => [...leb(count), type]);
  return [...leb(locals.length), ...declared, ...written];
}

/** A build's bytes. */
export function bytesOf(symbols, { relaxed = false, threads = false }) {
  const bytes = symbols.flatMap((symbol) => {
    if (typeof symbol === "number") return symbol;
    if (symbol.bytes) return symbol.bytes[+relaxed];
    // Flags, initial pages and, shared, the most there may be; plain, 1 in as many bytes.
    if (symbol === LIMITS) return threads ? [3, 1, 0x80, 0x80, 4] : [0, 0x81, 0x80, 0x80, 0];
    if (relaxed) return [...MADD, ...NOPS];
    const local = leb(symbol.local);
    return [0x21, ...local, 0xfd, 0xe6, 1, 0x20, ...local, 0xfd, 0xe4, 1];
  });
  return Uint8Array.from(bytes);
}

/**
 * What a text of modules is written in: 90 letters that no language, page or JSON has to escape, and
 * no space, which tools take from the ends of lines.
 */
const LETTERS = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).filter(
  (letter) => !"$<\\`".includes(letter),
);
const [TWO, THREE, MULTIPLY, WHICH, MEMORY] = LETTERS.slice(85);

/** All builds as one text, in lines, since minifiers take seconds for one that is long. */
export function textOf(symbols) {
  const letter = (byte) => {
    if (byte < 85) return LETTERS[byte];
    return byte < 170 ? TWO + LETTERS[byte - 85] : THREE + LETTERS[byte - 170];
  };
  const text = symbols.map((symbol) => {
    if (typeof symbol === "number") return letter(symbol);
    if (symbol.bytes) return WHICH + symbol.bytes.map(letter).join("");
    return symbol === LIMITS ? MEMORY : MULTIPLY + letter(symbol.local);
  });
  return text
    .join("")
    .match(/.{1,16384}/g)
    .join("\n");
}
