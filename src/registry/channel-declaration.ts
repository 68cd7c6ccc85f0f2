/**
 * Declares channels on a running instance, by request and reply on `svc.millrace.admin.channel`.
 * In: a piece of configuration (YAML with `metrics` and `channels`). Out: the names of its channels
 * once every partition's log has stored the new plan, or the problems, line by line.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { ERRORS, type ErrorCode, isOperatingError, OperatingError } from '../model/error.ts';

const SUBJECT = 'svc.millrace.admin.channel';
/** Tables are created and sixteen logs written; a cold engine takes seconds. */
const ANSWER_MS_MAX = 60_000;

export interface ChannelDeclaration {
  /** Names the file the declaration is kept in. */
  readonly name: string;
  readonly yaml: string;
}

interface Answer {
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export function serveChannels(
  nc: NatsConnection,
  declare: (declaration: ChannelDeclaration) => Promise<void>,
): { stop(): Promise<void> } {
  const subscription = nc.subscribe(SUBJECT);
  const served = (async () => {
    for await (const message of subscription) {
      const answer = await answerOf(() => declare(message.json<ChannelDeclaration>()));
      message.respond(JSON.stringify(answer));
    }
  })();
  return {
    async stop() {
      subscription.unsubscribe();
      await served;
    },
  };
}

async function answerOf(action: () => Promise<void>): Promise<Answer> {
  try {
    await action();
    return {};
  } catch (error) {
    if (isOperatingError(error)) return { error: { code: error.code, message: error.message } };
    if (!(error instanceof SyntaxError)) throw error;
    return { error: { code: 'INPUT_INVALID', message: `not a declaration: ${error.message}` } };
  }
}

/** Asks the running instance; rejects with the error that it answered. */
export async function declareChannel(
  nc: NatsConnection,
  declaration: ChannelDeclaration,
): Promise<void> {
  let answer: Answer;
  try {
    const reply = await nc.request(SUBJECT, JSON.stringify(declaration), {
      timeout: ANSWER_MS_MAX,
    });
    answer = reply.json<Answer>();
  } catch (cause) {
    throw new OperatingError(
      'NATS_UNREACHABLE',
      `the running instance did not answer on ${SUBJECT}: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (!answer.error) return;
  const { code, message } = answer.error;
  throw new OperatingError(code in ERRORS ? code : 'INPUT_INVALID', message);
}
