import { selfTest, tensor } from "wasm-attention";
import { int16, precisionError } from "wasm-attention/integers";
import { engine, randomTensor } from "./engines";
for (const v of ["portable","relaxed"] as const) { const a=await engine(v);
 selfTest(a);
 for (const [h,l,s,d,dv] of [[1,1,1,1,1],[2,7,9,3,5],[1,64,128,64,64],[1,65,129,33,17],[2,130,300,64,64],[1,512,512,64,64]]) {
  const [q,k,vv]=[randomTensor([1,h,l,d],1,3),randomTensor([1,h,s,d],2,3),randomTensor([1,h,s,dv],3)];
  console.log(v,h,l,s,d,dv,JSON.stringify(precisionError(a,q,k,vv,{precision:int16})),JSON.stringify(precisionError(a,q,k,vv,{precision:int16,causal:true}).relative));
 } }
