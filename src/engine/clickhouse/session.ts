/**
 * Native connections for requests: a fresh one each, or the one kept under a `session_id`, with its
 * temporary tables and SETs. In: role and session of a request. Out: a lease to be released.
 * Sessions of the read-only user are accepted and not kept: it may not change anything that a
 * session would keep. Invariant: a session serves one request at a time; a connection is used by
 * one role only, ever.
 */
import type { Clock } from '../../base/clock.ts';
import type { Chdb, Connection } from './chdb.ts';
import type { QueryRequest, Session } from './http/request.ts';
import { ClickHouseError } from './http/status.ts';

/** Sessions kept at a time; more is a client that never reuses its ids. */
const SESSIONS_MAX = 200;

export interface Lease {
  readonly connection: Connection;
  /** Settings of a request must be taken back before the connection serves another. */
  readonly kept: boolean;
  release(): Promise<void>;
}

export interface SessionStore {
  lease(request: Pick<QueryRequest, 'role' | 'user' | 'session'>): Promise<Lease>;
  /** Closes sessions that timed out. */
  sweep(): void;
}

interface Kept {
  readonly connection: Connection;
  busy: boolean;
  expiresMs: number;
}

export function createSessionStore(chdb: Chdb, clock: Clock): SessionStore {
  const sessions = new Map<string, Kept>();

  const drop = (key: string, kept: Kept): Promise<void> => {
    sessions.delete(key);
    return kept.connection.close();
  };
  const sweep = (): void => {
    const now = clock.monotonicMs();
    for (const [key, kept] of sessions) {
      if (!kept.busy && kept.expiresMs <= now) void drop(key, kept);
    }
  };
  const makeRoom = (): void => {
    if (sessions.size < SESSIONS_MAX) return;
    for (const [key, kept] of sessions) {
      if (!kept.busy) return void drop(key, kept);
    }
  };
  const leaseSession = (user: string, session: Session): Lease => {
    sweep();
    const key = `${user}\n${session.id}`;
    let kept = sessions.get(key);
    if (!kept && session.check) {
      throw new ClickHouseError('SESSION_NOT_FOUND', `Session ${session.id} not found`);
    }
    if (kept?.busy) {
      const text = `Session ${session.id} is locked by a concurrent client`;
      throw new ClickHouseError('SESSION_IS_LOCKED', text);
    }
    if (!kept) {
      makeRoom();
      kept = { connection: chdb.connect(), busy: false, expiresMs: 0 };
      sessions.set(key, kept);
    }
    const mine = kept;
    mine.busy = true;
    return {
      connection: mine.connection,
      kept: true,
      async release() {
        mine.busy = false;
        mine.expiresMs = clock.monotonicMs() + session.timeoutMs;
        if (session.close) await drop(key, mine);
      },
    };
  };

  return {
    async lease({ role, user, session }) {
      if (session && role === 'admin') return leaseSession(user, session);
      const connection = chdb.connect();
      if (role === 'readOnly') await connection.run('SET ROLE NONE');
      return { connection, kept: false, release: () => connection.close() };
    },
    sweep,
  };
}
