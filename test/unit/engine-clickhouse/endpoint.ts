/** A running engine in a temporary folder, with the two users the tests know. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClickHouseAddress,
  type ClickHouseEngineOptions,
  createClickHouseEngine,
} from '../../../src/engine/clickhouse/engine.ts';

export const ADMIN = { name: 'default', password: 'secret' };
export const READER = { name: 'reader', password: 'look' };
export const USERS = { admin: ADMIN, readOnly: READER };

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Whether the answer ended as HTTP wants it. */
  readonly complete: boolean;
}

export interface AskOptions {
  readonly params?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly user?: { name: string; password: string } | undefined;
  readonly method?: string;
  readonly path?: string;
}

export interface Endpoint {
  readonly address: ClickHouseAddress;
  readonly dataDir: string;
  /** One request; the statement goes into the body. Throws unless 200. */
  query(sql: string, params?: Record<string, string>): Promise<string>;
  /** The same as the read-only user, without throwing. */
  read(sql: string, params?: Record<string, string>): Promise<Answer>;
  ask(options: AskOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export function ask(address: ClickHouseAddress, options: AskOptions): Promise<Answer> {
  const url = new URL(options.path ?? '/', address.url);
  for (const [name, value] of Object.entries(options.params ?? {})) {
    url.searchParams.append(name, value);
  }
  const user = 'user' in options ? options.user : ADMIN;
  const auth = user ? { auth: `${user.name}:${user.password}` } : {};
  const method = options.method ?? (options.body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers: options.headers ?? {}, agent: false, ...auth });
    call.on('error', reject);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      const finish = (complete: boolean) => {
        const bytes = Buffer.concat(chunks);
        const headers = response.headers as Record<string, string>;
        const text = bytes.toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers, bytes, text, complete });
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => finish(true));
      response.on('error', () => finish(false));
    });
    call.end(options.body);
  });
}

export async function startEndpoint(
  options: Partial<ClickHouseEngineOptions> = {},
): Promise<Endpoint> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'millrace-clickhouse-'));
  const engine = createClickHouseEngine({ port: 'auto', users: USERS, ...options, dataDir });
  const address = await engine.start();
  return {
    address,
    dataDir,
    async query(sql, params = {}) {
      const answer = await ask(address, { body: sql, params });
      if (answer.status !== 200 || !answer.complete) throw new Error(answer.text);
      return answer.text;
    },
    read: (sql, params = {}) => ask(address, { body: sql, params, user: READER }),
    ask: (request) => ask(address, request),
    async stop() {
      await engine.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
