/**
 * The end of a test run, as people and continuous integration read it.
 *
 * Owns:      repeating the lines that tests print about their counts and seeds (`counts: …`), the reasons of skipped
 *            tests, and the one line `N passed, N failed, N skipped`.
 * Invariant: a run in which no test ran fails.
 */

/** @typedef {import("vitest/node").TestCase} TestCase */
/** @typedef {import("vitest/node").Reporter} Reporter */

/** @implements {Reporter} */
class Totals {
  /** @type {string[]} */
  #counts = [];

  /** @type {NonNullable<Reporter["onUserConsoleLog"]>} */
  onUserConsoleLog(log) {
    this.#counts.push(...log.content.split("\n").filter((line) => line.startsWith("counts:")));
  }

  /** @type {NonNullable<Reporter["onTestRunEnd"]>} */
  onTestRunEnd(modules, unhandledErrors) {
    const cases = modules.flatMap((module) => [...module.children.allTests()]);
    const passed = cases.filter((each) => each.result().state === "passed");
    const skipped = cases.filter((each) => each.result().state === "skipped");
    const failedModules = modules.filter((module) => module.errors().length > 0);
    const failed = cases.length - passed.length - skipped.length + failedModules.length + unhandledErrors.length;
    for (const line of this.#counts.sort()) console.log(line);
    for (const test of skipped) console.log(`skipped: ${test.fullName}${note(test)}`);
    if (passed.length + failed === 0) {
      console.error("No test ran.");
      process.exitCode = 1;
    }
    console.log(`${passed.length} passed, ${failed} failed, ${skipped.length} skipped`);
  }
}

/** @param {TestCase} test */
function note(test) {
  const result = test.result();
  return result.state === "skipped" && result.note !== undefined ? ` (${result.note})` : "";
}

// The test runner asks for a default export of a reporter's file.
export { Totals as default };
