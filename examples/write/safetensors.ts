// Writes safetensors, as far as the model needs it: the length of a JSON header in 64 bits, the header, which
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
