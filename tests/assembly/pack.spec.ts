import { allFinite, packColumns, packRows, packRows8 } from "../../assembly/gemm/pack";

const STRIDE: i32 = 13;

/** A matrix of STRIDE columns whose element (row, column) is 100·row + column + 1. */
function matrix(): Float32Array {
  const m = new Float32Array(16 * STRIDE);
  for (let i = 0; i < 16; i++)
    for (let j = 0; j < STRIDE; j++) m[i * STRIDE + j] = <f32>(<i32>(100 * i + j + 1));
  return m;
}

describe("packing", () => {
  it("packRows puts each row into its lane and 0 into the lanes past the last", () => {
    const source = matrix();
    for (let rows = 0; rows <= 5; rows++) {
      for (let depth = 1; depth <= STRIDE; depth++) {
        const panel = new Float32Array(4 * depth + 1).fill(-7);
        packRows(source.dataStart, STRIDE, rows, depth, panel.dataStart, 16);
        for (let i = 0; i < depth; i++)
          for (let lane = 0; lane < 4; lane++) {
            const want: f32 = lane < rows ? source[lane * STRIDE + i] : 0;
            expect<f32>(panel[i * 4 + lane]).toBe(want);
          }
        expect<f32>(panel[4 * depth]).toBe(-7, "nothing is written past the panel");
      }
    }
  });

  it("packRows8 fills a panel eight wide", () => {
    const source = matrix();
    for (let rows = 1; rows <= 9; rows++) {
      const panel = new Float32Array(8 * 7 + 1).fill(-7);
      packRows8(source.dataStart, STRIDE, rows, 7, panel.dataStart);
      for (let i = 0; i < 7; i++)
        for (let lane = 0; lane < 8; lane++)
          expect<f32>(panel[i * 8 + lane]).toBe(lane < rows ? source[lane * STRIDE + i] : 0);
      expect<f32>(panel[56]).toBe(-7);
    }
  });

  it("packColumns copies up to eight columns and pads with 0", () => {
    const source = matrix();
    for (let columns = 1; columns <= 9; columns++) {
      const panel = new Float32Array(8 * 5 + 1).fill(-7);
      packColumns(source.dataStart, STRIDE, columns, 5, panel.dataStart);
      for (let i = 0; i < 5; i++)
        for (let lane = 0; lane < 8; lane++)
          expect<f32>(panel[i * 8 + lane]).toBe(lane < columns ? source[i * STRIDE + lane] : 0);
      expect<f32>(panel[40]).toBe(-7);
    }
  });

  it("allFinite finds a NaN or an infinity anywhere, and nothing else", () => {
    const values = new Float32Array(24).fill(3.4028234663852886e38);
    expect<bool>(allFinite(values.dataStart, 24)).toBe(true);
    const bad: f32[] = [NaN, Infinity, -Infinity];
    for (let i = 0; i < 24; i++)
      for (let k = 0; k < 3; k++) {
        values[i] = bad[k];
        expect<bool>(allFinite(values.dataStart, 24)).toBe(false);
        values[i] = 0;
      }
  });
});
