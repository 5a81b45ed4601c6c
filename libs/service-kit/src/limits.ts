/** Largest message either end takes: the input tensors of the largest batch, with room. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Streams a client may hold open on one connection. */
export const MAX_CONCURRENT_STREAMS = 256;

/** Clients only look for new replicas when a connection ends, so connections end now and then. */
export const MAX_CONNECTION_AGE_MS = 5 * 60_000;

/** Longer than the longest stream (a campaign that is watched over a day), so that age never cuts one. */
export const MAX_CONNECTION_AGE_GRACE_MS = 48 * 60 * 60_000;

/** HTTP/2 window: with the default of 64 KiB a message of some MiB waits for dozens of round trips. */
export const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

/** Messages kept for a retry, over all calls of one client. */
export const RETRY_BUFFER_BYTES = 4 * MAX_MESSAGE_BYTES;

/** How long a drain waits for running calls; below the 30 s after which Kubernetes kills. */
export const DRAIN_TIMEOUT_MS = 25_000;
