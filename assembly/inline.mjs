/**
 * A step of the compiler (`asc --transform ./assembly/inline.mjs`): functions that have one caller
 * become part of it, however large they are. Calls cost as much as what many of them do, and V8
 * does not inline across WebAssembly functions itself. In: the module as compiled. Out: the same,
 * before `asc` optimises it.
 */
/** Instructions of a function with one caller. */
const ONE_CALLER_MAX = 4000;
/** Instructions of a function that is worth to be repeated wherever it is called. */
const ANYWHERE_MAX = 60;

export default class Inline {
  afterCompile(module) {
    const { binaryen, program } = this;
    // The debug build stays as it is written.
    if (program.options.optimizeLevelHint === 0) return;
    binaryen.setOptimizeLevel(3);
    binaryen.setShrinkLevel(0);
    binaryen.setOneCallerInlineMaxSize(ONE_CALLER_MAX);
    binaryen.setAlwaysInlineMaxSize(ANYWHERE_MAX);
    binaryen.setAllowInliningFunctionsWithLoops(true);
    module.runPasses(['inlining-optimizing']);
  }
}
