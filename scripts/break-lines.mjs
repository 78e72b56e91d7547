// A minified bundle with a line for each declaration, each member of a class, each part of a sequence and
// some names of an import or export. Node shows the line that threw before it says what was thrown: of a
// bundle of one line, 200 kB.
import { decode, encode } from "@jridgewell/sourcemap-codec";
import { parse } from "acorn";

/** The same program, and its source map. */
export function breakLines(code, map) {
  const places = breaks(parse(code, { ecmaVersion: "latest", sourceType: "module" }).body);
  const starts = places.filter((place) => place > 0 && code[place - 1] !== "\n");
  const parts = [0, ...starts].map((start, i) => code.slice(start, starts[i]));
  return { code: parts.join("\n"), map: map && { ...map, mappings: moved(code, starts, map) } };
}

/** Where a line may begin, in the order of the program. */
function breaks(statements) {
  return statements.flatMap(({ start, declaration, ...statement }) => {
    const { type, declarations, body, expression, specifiers } = declaration ?? statement;
    // Names that are imported or exported, here or by `require`.
    const names = specifiers ?? expression?.arguments?.at(-1)?.properties;
    if (names) return [start, ...names.filter((_, i) => i % 16 === 15).map(startOf)];
    if (type === "ClassDeclaration") return [start, ...members(body)];
    if (type === "FunctionDeclaration" && statement.end - start > MOST)
      return [start, ...breaks(body.body)];
    if (type === "ReturnStatement") {
      const { argument } = statement;
      const [first, ...others] = argument?.expressions ?? [argument];
      return [start, ...members((first?.right ?? first)?.body), ...others.map(startOf)];
    }
    // A script of its own, in a function.
    if (expression?.callee?.body?.body) return [start, ...breaks(expression.callee.body.body)];
    // What older syntax makes of private fields and methods.
    if (expression?.type === "SequenceExpression")
      return [start, ...expression.expressions.slice(1).map(startOf)];
    if (type !== "VariableDeclaration") return [start];
    const [, ...others] = declarations.map(({ start, init }) => [start, ...inside(init)]);
    return [start, ...inside(declarations[0].init), ...others.flat()];
  });
}

/** Letters of a function that is left in one line. */
const MOST = 1500;

const startOf = ({ start }) => start;

/** Of a class, or of a module that a bundler has wrapped in a function. */
function inside(init) {
  const wrapped = init?.arguments?.[0]?.body;
  return wrapped?.type === "BlockStatement" ? breaks(wrapped.body) : members(init?.body);
}

function members(body) {
  if (body?.type !== "ClassBody") return [];
  return body.body.flatMap(({ start, end, value }) => {
    const long = end - start > MOST && value?.body?.type === "BlockStatement";
    return long ? [start, ...breaks(value.body.body)] : [start];
  });
}

function moved(code, starts, { mappings }) {
  const ends = [...code.matchAll(/\n/g)].map(({ index }) => index + 1);
  const lines = decode(mappings).flatMap((segments, line) => {
    const from = line === 0 ? 0 : ends[line - 1];
    const to = ends[line] ?? code.length;
    const cuts = [from, ...starts.filter((start) => from < start && start < to)];
    return cuts.map((cut, i) =>
      segments
        .filter(([column]) => from + column >= cut && !(from + column >= cuts[i + 1]))
        .map(([column, ...source]) => [from + column - cut, ...source]),
    );
  });
  return encode(lines);
}
