import { resolve } from 'node:path';
import { boundaryViolations } from './boundaries.ts';
import { RULES } from './boundary-rules.ts';
import { readWorkspace } from './read-workspace.ts';

const { packages, edges } = await readWorkspace(resolve(import.meta.dirname, '../../..'));
const violations = boundaryViolations(packages, edges, RULES);
for (const violation of violations) process.stderr.write(`${violation}\n`);
if (violations.length > 0) process.exitCode = 1;
else
  process.stdout.write(`module boundaries: ${packages.length} packages, ${edges.length} edges, all within the rules\n`);
