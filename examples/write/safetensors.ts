// safetensors, as far as the model needs it: the length of a JSON header in 64 bits, the header, which
// says type, shape and place of each tensor, and the data (github.com/huggingface/safetensors).

export interface Stored {
  readonly dtype: "F32" | "I8";
  readonly shape: readonly number[];
  readonly data: Float32Array | Int8Array;
}

export interface Contents {
  readonly tensors: ReadonlyMap<string, Stored>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: Stored["dtype"];
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Of 8 bytes, so that every tensor of float32 may be read where it lies. */
const ALIGNMENT = 8;

export function writeSafetensors({ tensors, metadata }: Contents): Uint8Array {
  // Those of four bytes first: none of them begins off a multiple of four.
  const ordered = [...tensors].sort(([, a], [, b]) => (a.dtype < b.dtype ? -1 : +(a !== b)));
  let end = 0;
  const entries = ordered.map(([name, { dtype, shape, data }]): [string, Entry] => {
    const begin = end;
    end += data.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const plain = new TextEncoder().encode(json);
  const header = new Uint8Array(Math.ceil(plain.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  header.set(plain);
  const bytes = new Uint8Array(8 + header.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  entries.forEach(([, { data_offsets }], index) => {
    const { data } = ordered[index][1];
    const place = 8 + header.length + data_offsets[0];
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
  });
  return bytes;
}

/** @throws Error for bytes that are no such file, or end too early. */
export function readSafetensors(bytes: Uint8Array): Contents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 8 ? Infinity : Number(view.getBigUint64(0, true));
  if (8 + length > bytes.length) throw new Error("no safetensors file: its header is cut off");
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, Stored>();
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets } = entry as Entry;
    const elements = shape.reduce((product, size) => product * size, 1);
    const [begin, end] = data_offsets.map((offset) => 8 + length + offset);
    const size = { F32: 4, I8: 1 }[dtype];
    if (!size || end > bytes.length || end - begin !== elements * size) {
      throw new Error(`${name}: ${dtype} [${shape}] in ${end - begin} bytes`);
    }
    // A copy, which a Buffer's `slice` is not.
    const { buffer } = new Uint8Array(bytes.subarray(begin, end));
    tensors.set(name, {
      dtype,
      shape,
      data: size === 4 ? new Float32Array(buffer) : new Int8Array(buffer),
    });
  }
  return { tensors, metadata };
}
