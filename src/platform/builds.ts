import portable from "../../build/core.portable.wasm";
import relaxed from "../../build/core.relaxed.wasm";
import portablePositions from "../../build/positions.portable.wasm";
import relaxedPositions from "../../build/positions.relaxed.wasm";
import portableTraining from "../../build/training.portable.wasm";
import relaxedTraining from "../../build/training.relaxed.wasm";

export const builds = [
  { portable, relaxed },
  { portable: portableTraining, relaxed: relaxedTraining },
  { portable: portablePositions, relaxed: relaxedPositions },
];
