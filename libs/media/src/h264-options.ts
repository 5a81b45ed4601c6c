import { arch } from 'node:process';

/**
 * Options of libx264. With its AVX-512 code equal pictures give other bytes from run to run, on one thread too (x264 165: the lookahead's
 * macroblock tree), and code without SSE4.2 rounds differently: one set of instructions, which every 64-bit x86 server has, gives
 * the same bytes on all of them.
 */
export const H264_OPTIONS: Readonly<Record<string, string>> = {
  preset: 'medium',
  ...(arch === 'x64' ? { 'x264-params': 'asm=sse2,ssse3,sse4.2' } : {}),
};
