// `tools`: what is built from the roles for people to run. So far the demo; setup/ and lint/ are plain JavaScript and stand apart.

export { runDemo } from './demo/demo.js';
export { type DemoOptions, FAULTS, type Fault } from './demo/options.js';
