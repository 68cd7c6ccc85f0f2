/**
 * A worker that does not fit ends before it touches anything, and nobody looks at what it printed:
 * it tells those that run, who count it and say it. In: its name and its error. Out: the same, at
 * the others. Lossy like heartbeats; whatever is no refusal is taken for nothing.
 */
import { isOperatingError, OperatingError } from '../../model/error.ts';
import { refusalSubject } from '../../wire/subject.ts';
import type { NatsLink } from '../connection.ts';

const REFUSALS = ['MEMBER_NAME_TAKEN', 'CLUSTER_MISMATCH'] as const;
type Refusal = (typeof REFUSALS)[number];

interface Words {
  readonly member: string;
  readonly code: Refusal;
  readonly message: string;
}

/** Tells the others when the error is a refusal; anything else is the business of this worker. */
export async function tellRefusal(
  { nc, isConnected }: NatsLink,
  log: string,
  member: string,
  error: unknown,
): Promise<void> {
  const code = REFUSALS.find((each) => isOperatingError(error, each));
  if (!code || !isConnected) return;
  const { message } = error as OperatingError;
  nc.publish(refusalSubject(log), JSON.stringify({ member, code, message } satisfies Words));
  await nc.flush().catch(() => {}); // lossy
}

/** For as long as the connection lasts. */
export function hearRefusals(
  { nc }: NatsLink,
  log: string,
  onRefusal: (error: OperatingError) => void,
): void {
  nc.subscribe(refusalSubject(log), {
    callback: (failure, message) => {
      const words = failure ? null : read(message.string());
      if (words) onRefusal(refusalError(words));
    },
  });
}

function read(text: string): Words | null {
  try {
    const words = JSON.parse(text) as Partial<Words> | null;
    const isWhole = typeof words?.member === 'string' && typeof words.message === 'string';
    return isWhole && REFUSALS.some((each) => each === words.code) ? (words as Words) : null;
  } catch {
    return null;
  }
}

const refusalError = ({ member, code, message }: Words): OperatingError =>
  new OperatingError(code, `a worker that calls itself ${member} was refused: ${message}`, {
    where: { member },
  });
