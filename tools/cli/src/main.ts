import { ExitCode } from './exit-code.ts';
import { run } from './program.ts';

// `faultline report ... | head` closes the pipe when it has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? ExitCode.ok : ExitCode.failed);
});

process.exitCode = await run(process.argv.slice(2));
