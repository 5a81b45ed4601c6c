/** Largest message either end takes: the input tensors of the largest batch, with room. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Streams a client may hold open on one connection. */
export const MAX_CONCURRENT_STREAMS = 256;

/** Clients only look for new replicas when a connection ends, so connections end now and then. */
export const MAX_CONNECTION_AGE_MS = 5 * 60_000;

// There is no keepalive, on either end: a ping on a connection whose age has been reached fails, and takes the calls that still
// run on it along (grpc-node #3068). A client that vanishes without a word is noticed when a stream falls silent or is written to.

/** Longer than the longest stream (a campaign that is watched over a day), so that age never cuts one. */
export const MAX_CONNECTION_AGE_GRACE_MS = 48 * 60 * 60_000;

/** HTTP/2 window of a client: with the default of 64 KiB a response of some MiB waits for dozens of round trips. */
export const FLOW_CONTROL_WINDOW_BYTES = 1024 * 1024;

/** Messages kept for a retry, over all calls of one client; one message of the largest size must fit. */
export const RETRY_BUFFER_BYTES = 4 * MAX_MESSAGE_BYTES;

/**
 * Of a stream of requests this much is kept, in case its connection ends before the server has seen it.
 * The transport acknowledges what it keeps at once, so this is also how far a sender can run ahead of a slow server.
 */
export const STREAM_BUFFER_BYTES = 256 * 1024;

/** How long a drain waits for running calls; below the 30 s after which Kubernetes kills. */
export const DRAIN_TIMEOUT_MS = 25_000;
