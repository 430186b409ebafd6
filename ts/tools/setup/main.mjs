// The one entry of every npm script: `node ts/tools/setup/main.mjs COMMAND [arguments]`.
// It must start on a Node that is too old, to say so: no syntax newer than Node 12's here, nor in what it imports statically.
// Everything else of this folder is loaded after the check and may use what Node 20 has.
import { nodeVersionProblem } from './node-version.mjs';

const problem = nodeVersionProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exit(1);
}

import('./cli.mjs')
  .then((cli) => cli.main(process.argv.slice(2)))
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
