import { testJest } from "./jest";

testJest(30);
