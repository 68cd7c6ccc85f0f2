/**
 * A command's connection to the running instance: its addresses and credentials from `run.json`, a
 * link to its log, its read models. Closed by whoever opened it, also when the command failed.
 */
import {
  createNatsConnection,
  type LinkStatus,
  type NatsLink,
  openStateStore,
} from '../log/index.ts';
import type { StateStore } from '../model/doors.ts';
import type { Plan } from '../model/plan.ts';
import { createQuery, type Query } from '../query/index.ts';
import { createPlanStore, parsePlan } from '../registry/index.ts';
import type { InstanceOptions } from './option.ts';
import { getInstance, type Instance, stateFolder } from './run-file.ts';

export interface Session extends Instance {
  readonly link: NatsLink;
  readonly query: Query;
  close(): Promise<void>;
}

export async function openSession(
  options: InstanceOptions,
  onStatus?: (status: LinkStatus) => void,
): Promise<Session> {
  const instance = getInstance(options.dataDir);
  const link = await openLink(instance, onStatus);
  const query = openQuery(instance);
  return {
    ...instance,
    link,
    query,
    async close() {
      await Promise.allSettled([link.close(), query.close()]);
    },
  };
}

export function openLink(
  { state }: Instance,
  onStatus?: (status: LinkStatus) => void,
): Promise<NatsLink> {
  const { url, user, password } = state.nats;
  return createNatsConnection({
    url,
    ...(user === '' ? {} : { user, password }),
    name: 'millrace command',
    ...(onStatus ? { onStatus } : {}),
  });
}

/** Checkpoints and savepoints where the instance keeps them. */
export function openState({ link, state, folder }: Session): Promise<StateStore> {
  const { log, stateStore: store } = state;
  return openStateStore({ link, log, store, folder: stateFolder(folder) });
}

/** As the read-only user when there is one, unless told otherwise. */
export function openQuery({ state }: Instance, asAdmin = false): Query {
  const { url, database, user, password, readonlyUser, readonlyPassword } = state.clickhouse;
  const reader =
    asAdmin || readonlyUser === null
      ? { user, password }
      : { user: readonlyUser, password: readonlyPassword ?? '' };
  return createQuery({ url, database, ...reader });
}

/** The plan in force on the instance; null before its first start has finished. */
export async function findPlan({ link, state }: Session): Promise<Plan | null> {
  const store = await createPlanStore(link.nc, state.log);
  const text = await store.load();
  return text === null ? null : parsePlan(text);
}
