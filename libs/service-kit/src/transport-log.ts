import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

// What goes wrong in the transport reaches callers as an error; the transport's own plain-text lines between our JSON lines
// help only somebody who asked for them with GRPC_VERBOSITY.
if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);
