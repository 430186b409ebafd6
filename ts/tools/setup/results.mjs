// What a stage of `npm test` found, whoever ran it, and the sum of all stages.

/**
 * @typedef {{ name: string, reason: string }} Skipped
 * @typedef {object} Result
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} failures what failed, for the list at the end
 * @property {Skipped[]} skips
 */

/** @returns {Result} */
export function emptyResult() {
  return { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
}

/**
 * A stage that did not do its work is a failure of its own, whatever it counted before: it crashed, did not compile, ran nothing.
 * @param {Result} result
 * @param {string} why
 */
export function addFailure(result, why) {
  result.failed += 1;
  result.failures.push(why);
}

/** @param {Result[]} results @returns {Result} */
export function sum(results) {
  const total = emptyResult();
  for (const result of results) {
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
    total.failures.push(...result.failures);
    total.skips.push(...result.skips);
  }
  return total;
}

/** The closing line, exactly in this form. @param {Result} result */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * Reads the output of `cargo test`, line by line. Its harness has no machine-readable form on stable Rust; these two kinds of line have been
 * the same since Rust 1.0.
 */
export class CargoReader {
  result = emptyResult();

  /**
   * @param {string} line
   * @returns {boolean} is the line worth showing? What passed is not: it is counted.
   */
  read(line) {
    const summary = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(line);
    if (summary) {
      this.result.passed += Number(summary[1]);
      this.result.failed += Number(summary[2]);
      this.result.skipped += Number(summary[3]);
      return Number(summary[2]) > 0;
    }
    const test = /^test (.+) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$/.exec(line);
    if (test?.[1] !== undefined) {
      if (test[2] === 'FAILED') this.result.failures.push(test[1]);
      if (test[2] === 'ignored') this.result.skips.push({ name: test[1], reason: test[3] ?? '' });
      return test[2] === 'FAILED';
    }
    return line !== '' && !/^running \d+ tests?$/.test(line);
  }

  /** @param {number} status cargo's exit code @returns {Result} */
  end(status) {
    if (status !== 0 && this.result.failed === 0) {
      addFailure(
        this.result,
        `cargo test ended with exit code ${status}: something did not compile, or a test process crashed`,
      );
    }
    return this.result;
  }
}
