/**
 * Options of libx264. No macroblock tree: with AVX-512 its lookahead gives other bytes from run to run (x264 165), on one thread too,
 * and there is little to look ahead to in a few pictures.
 */
export const H264_OPTIONS = { preset: 'medium', mbtree: '0' } as const;
