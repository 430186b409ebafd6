// Writes what a vitest run found as one Result (results.mjs) to the file that SPLITNVE_TEST_RESULT names. vitest's own JSON reporter has
// neither the reason of a skip nor errors outside tests.
import { writeFileSync } from 'node:fs';
import { addFailure, emptyResult } from './results.mjs';

/**
 * @typedef {import('vitest/node').TestModule} TestModule
 * @typedef {import('vitest/node').TestSuite} TestSuite
 */

export default class ResultReporter {
  /**
   * @param {readonly TestModule[]} modules
   * @param {readonly { message: string }[]} unhandled
   */
  onTestRunEnd(modules, unhandled) {
    const result = emptyResult();
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const suite of [module, ...module.children.allSuites()]) {
        // A hook that threw, or a file that did not load: its tests may not even be known.
        for (const error of suite.errors()) addFailure(result, `${nameOf(file, suite)}: ${firstLine(error.message)}`);
      }
      for (const test of module.children.allTests()) {
        const outcome = test.result();
        const name = `${file} > ${test.fullName}`;
        if (outcome.state === 'passed') result.passed += 1;
        else if (outcome.state === 'skipped') {
          result.skipped += 1;
          result.skips.push({ name, reason: outcome.note ?? '' });
        } else addFailure(result, name);
      }
    }
    for (const error of unhandled) addFailure(result, `outside any test: ${firstLine(error.message)}`);
    const target = process.env['SPLITNVE_TEST_RESULT'];
    if (target) writeFileSync(target, JSON.stringify(result));
  }
}

/** @param {string} file @param {TestModule | TestSuite} suite */
function nameOf(file, suite) {
  return suite.type === 'suite' ? `${file} > ${suite.fullName}` : file;
}

/** @param {string} text */
function firstLine(text) {
  return text.split('\n')[0] ?? '';
}
