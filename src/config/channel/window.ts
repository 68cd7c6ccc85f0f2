/**
 * Windows of a channel: from what stands in the file to kind, sizes and a name. In: a raw channel.
 * Out: windows in their order (tumbling, hopping, session, count; of each the shortest first), and
 * what is wrong with them. A wrong one is left out, so that the others can still be judged.
 */
import { formatDuration, parseDuration } from '../../base/quantity.ts';
import type { ConfigProblem, WindowConfig } from '../../model/config.ts';
import { PANES_MAX } from '../../model/limit.ts';
import { WINDOW_DEFAULTS } from '../../model/plan.ts';
import type { RawChannel } from '../schema/schema.ts';
import type { RawWindow } from '../schema/window.ts';

export const SHORT_WINDOW_RETENTION = '90d';
export const LONG_WINDOW_RETENTION = '5y';
/** Windows of at least this length count as long: kept for longer, and with a sketch. */
const LONG_WINDOW_MS = 3_600_000;
const SESSION_MAX_MS = 86_400_000;

type Kind = WindowConfig['kind'];
type Size = Omit<WindowConfig, 'name' | 'facts' | 'retentionMs'>;
/** Without a path: it is the window's own. */
type Fault = { readonly member?: keyof RawWindow } & Omit<ConfigProblem, 'path'>;

export interface Windows {
  readonly windows: readonly WindowConfig[];
  /** Place in the file's list, and what is wrong there. */
  readonly problems: readonly (Fault & { readonly index: number })[];
}

const KINDS: readonly Kind[] = ['tumbling', 'hopping', 'session', 'count'];
/** Which members belong to the one that says the kind. */
const MEMBERS: Record<'length' | 'session' | 'count', readonly (keyof RawWindow)[]> = {
  length: ['name', 'length', 'every', 'sketch', 'facts'],
  session: ['name', 'session', 'max', 'sketch', 'facts'],
  count: ['name', 'count', 'every', 'sketch', 'facts'],
};

export function readWindows(raw: RawChannel): Windows {
  const windows: WindowConfig[] = [];
  const problems: (Fault & { index: number })[] = [];
  raw.windows.forEach((given, index) => {
    const window: RawWindow = typeof given === 'string' ? { length: given } : given;
    const size = sizeOf(window);
    if ('what' in size) {
      problems.push({ index, ...size });
      return;
    }
    const name = window.name ?? defaultName(size);
    const other = windows.find((each) => identity(each) === identity(size));
    const taken = windows.find((each) => each.name === name);
    if (other !== undefined) problems.push({ index, what: 'is named twice', given });
    else if (taken !== undefined) {
      const what = `would be a second window '${name}': give one of them another name`;
      problems.push({ index, what });
    } else if (/^[0-9]/.test(name) && name !== defaultName(size)) {
      const what = `says another window than it is; a name of yours begins with a letter`;
      problems.push({ index, member: 'name', what, given: name });
    } else if (name === 'readings') {
      problems.push({ index, member: 'name', what: 'is how `retention` calls the samples' });
    } else {
      const { facts = true } = window;
      windows.push({ ...size, name, facts, retentionMs: retentionOf(raw, name, size) });
    }
  });
  return { windows: windows.sort(inOrder), problems };
}

/** The same for windows that a partition cannot tell apart. */
const identity = (size: Size) =>
  [size.kind, size.lengthMs, size.everyMs, size.gapMs, size.count, size.everyCount].join();

function inOrder(left: WindowConfig, right: WindowConfig): number {
  return (
    KINDS.indexOf(left.kind) - KINDS.indexOf(right.kind) ||
    left.lengthMs - right.lengthMs ||
    left.everyMs - right.everyMs ||
    left.gapMs - right.gapMs ||
    left.count - right.count ||
    left.everyCount - right.everyCount
  );
}

function defaultName({ kind, lengthMs, everyMs, gapMs, count }: Size): string {
  if (kind === 'tumbling') return formatDuration(lengthMs);
  if (kind === 'hopping') return `${formatDuration(lengthMs)}_every_${formatDuration(everyMs)}`;
  return kind === 'session' ? `session_${formatDuration(gapMs)}` : `last_${count}`;
}

function sizeOf(window: RawWindow): Size | Fault {
  const heads = (['length', 'session', 'count'] as const).filter(
    (member) => window[member] !== undefined,
  );
  if (heads.length !== 1) {
    return { what: 'must say exactly one of length, session and count', given: window };
  }
  const [head] = heads;
  const foreign = (Object.keys(window) as (keyof RawWindow)[]).find(
    (member) => !MEMBERS[head].includes(member),
  );
  if (foreign !== undefined) {
    const allowed = MEMBERS[head].join(', ');
    return { member: foreign, what: `does not go together with ${head}`, allowed };
  }
  if (head === 'length') return timeSize(window);
  return head === 'session' ? sessionSize(window) : countSize(window);
}

function timeSize({ length = '', every, sketch }: RawWindow): Size | Fault {
  const lengthMs = parseDuration(length) ?? 0;
  const shared = { ...WINDOW_DEFAULTS, lengthMs, sketch: sketch ?? lengthMs >= LONG_WINDOW_MS };
  if (every === undefined) return shared;
  const everyMs = typeof every === 'string' ? (parseDuration(every) ?? 0) : 0;
  if (everyMs === 0) {
    return { member: 'every', what: 'must be a duration such as 1m, as `length` is', given: every };
  }
  if (everyMs === lengthMs) return shared;
  const panes = lengthMs / everyMs;
  if (Number.isInteger(panes) && panes <= PANES_MAX) return { ...shared, kind: 'hopping', everyMs };
  const what = `must go into length (${length}) 2 to ${PANES_MAX} whole times`;
  return { member: 'every', what, given: every };
}

function sessionSize({ session = '', max, sketch = false }: RawWindow): Size | Fault {
  const gapMs = parseDuration(session) ?? 0;
  const lengthMs = max === undefined ? Math.max(gapMs, SESSION_MAX_MS) : (parseDuration(max) ?? 0);
  if (lengthMs >= gapMs) return { ...WINDOW_DEFAULTS, kind: 'session', lengthMs, gapMs, sketch };
  const what = `must not be shorter than session (${session})`;
  return { member: 'max', what, given: max };
}

function countSize({ count = 0, every = count, sketch = false }: RawWindow): Size | Fault {
  if (typeof every !== 'number') {
    return { member: 'every', what: 'must be a number of samples, as `count` is', given: every };
  }
  const panes = count / every;
  if (Number.isInteger(panes) && panes <= PANES_MAX) {
    return { ...WINDOW_DEFAULTS, kind: 'count', lengthMs: 0, count, everyCount: every, sketch };
  }
  const what = `must go into count (${count}) 1 to ${PANES_MAX} whole times`;
  return { member: 'every', what, given: every };
}

function retentionOf(raw: RawChannel, name: string, { lengthMs }: Size): number {
  const byLength = lengthMs >= LONG_WINDOW_MS ? LONG_WINDOW_RETENTION : SHORT_WINDOW_RETENTION;
  const key = retentionKeyOf(raw, name);
  const text = key === null ? (raw.historical ? 'forever' : byLength) : raw.retention[key];
  return parseDuration(text) ?? 0;
}

/** The key under `retention` that means this window ('60s' and '1m' are the same), or null. */
export function retentionKeyOf(raw: RawChannel, name: string): string | null {
  const keys = Object.keys(raw.retention).filter((key) => key !== 'readings');
  const exact = keys.find((key) => key === name);
  const length = parseDuration(name);
  if (exact !== undefined || length === null) return exact ?? null;
  return keys.find((key) => parseDuration(key) === length) ?? null;
}
