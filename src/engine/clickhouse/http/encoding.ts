/**
 * Content encodings of HTTP, both ways. In: header values. Out: stream transforms, or the name
 * under which the engine itself compresses or reads a file. Node 20 has no zstd: answers in zstd
 * are then compressed by the engine, and zstd bodies are read by it when the statement is in the
 * URL.
 * Invariant: an encoding is only chosen when the client named it.
 */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { createLz4StreamCompressor, createLz4StreamDecompressor } from '../codec/lz4-stream.ts';

/** Present from Node 22.15 on. */
const zstd = zlib as unknown as {
  createZstdCompress?: () => Transform;
  createZstdDecompress?: () => Transform;
};

/** Brotli's own default (11) is far too slow for answers. */
const BROTLI_QUALITY = 4;
/** ClickHouse's default of `http_zlib_compression_level`. */
const ZLIB_LEVEL = 3;

export interface Encoding {
  /** The value of Content-Encoding. */
  readonly name: string;
  /** Absent when the engine compresses. */
  readonly create?: (level?: number) => Transform;
}

const LZ4: Encoding = { name: 'lz4', create: () => createLz4StreamCompressor() };
const GZIP: Encoding = {
  name: 'gzip',
  create: (level = ZLIB_LEVEL) => zlib.createGzip({ level }),
};
const DEFLATE: Encoding = {
  name: 'deflate',
  create: (level = ZLIB_LEVEL) => zlib.createDeflate({ level }),
};
const BROTLI: Encoding = {
  name: 'br',
  create: () =>
    zlib.createBrotliCompress({
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
    }),
};
const ZSTD: Encoding = zstd.createZstdCompress
  ? { name: 'zstd', create: () => zstd.createZstdCompress!() }
  : { name: 'zstd' };

/** Best first: fast ones, and those whose stream we can end with an exception trailer. */
const PREFERRED: readonly Encoding[] = ZSTD.create
  ? [LZ4, ZSTD, GZIP, DEFLATE, BROTLI]
  : [LZ4, GZIP, DEFLATE, BROTLI, ZSTD];

export function chooseEncoding(acceptEncoding: string | undefined): Encoding | undefined {
  if (!acceptEncoding) return undefined;
  const accepted = new Set<string>();
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [name, ...rest] = part.trim().split(/\s*;\s*/);
    if (name && !rest.some((weight) => /^q=0(\.0*)?$/.test(weight))) accepted.add(name);
  }
  return PREFERRED.find((encoding) => accepted.has(encoding.name));
}

/** `plain` for no encoding; undefined when this Node cannot decode it. */
export function createDecoder(contentEncoding: string): Transform | 'plain' | undefined {
  switch (contentEncoding) {
    case '':
    case 'identity':
      return 'plain';
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'lz4':
      return createLz4StreamDecompressor();
    case 'zstd':
      return zstd.createZstdDecompress?.();
    default:
      return undefined;
  }
}

const INFILE_COMPRESSION: Readonly<Record<string, string>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  lz4: 'lz4',
  zstd: 'zstd',
  xz: 'xz',
  snappy: 'snappy',
  bz2: 'bz2',
};

/** The name for `FROM INFILE … COMPRESSION`: the engine decodes faster than we would. */
export function infileCompression(contentEncoding: string): string | undefined {
  return INFILE_COMPRESSION[contentEncoding];
}
