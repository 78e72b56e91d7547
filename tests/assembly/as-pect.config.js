// The specs of the kernel parts; run.mjs beside this starts them on both builds.
export default {
  entries: [],
  include: [],
  disclude: [/node_modules/],
  async instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
