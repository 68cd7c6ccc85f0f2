/**
 * `multipart/form-data` requests: clients send long parameters, and the statement, as form fields.
 * In: a request. Out: the same request with those fields applied. External tables (file parts) are
 * refused. Invariant: a form is bounded, since it is held in memory.
 */
import { Readable } from 'node:stream';
import { addNamed, type QueryRequest } from './request.ts';
import { ClickHouseError } from './status.ts';

/** Bytes of a form: statements and parameters, not data. */
const FORM_BYTES_MAX = 64 * 1024 * 1024;

export async function readForm(request: QueryRequest): Promise<QueryRequest> {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(request.contentType)?.[1];
  if (!boundary) return request;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > FORM_BYTES_MAX) {
      const text = `The form is longer than ${FORM_BYTES_MAX} bytes`;
      throw new ClickHouseError('QUERY_IS_TOO_LARGE', text);
    }
    chunks.push(chunk);
  }
  const settings = new Map(request.settings);
  const parameters = new Map(request.parameters);
  let urlQuery = request.urlQuery;
  for (const [name, value] of parts(Buffer.concat(chunks, bytes).toString('latin1'), boundary)) {
    if (name === 'query') urlQuery = value;
    else addNamed(name, value, settings, parameters);
  }
  const body = Readable.from([]);
  return { ...request, urlQuery, settings, parameters, body, bodyEncoding: '', bodyFramed: false };
}

function* parts(form: string, boundary: string): Generator<[name: string, value: string]> {
  for (const part of `\r\n${form}`.split(`\r\n--${boundary}`).slice(1)) {
    if (part.startsWith('--')) return;
    const split = part.indexOf('\r\n\r\n');
    const disposition = /content-disposition:[^\r\n]*/i.exec(part.slice(0, split))?.[0] ?? '';
    const name = /[; ]name="([^"]*)"/i.exec(disposition)?.[1];
    if (split < 0 || name === undefined) {
      throw new ClickHouseError('BAD_ARGUMENTS', 'The form has a part without a name');
    }
    if (/[; ]filename\*?=/i.test(disposition)) {
      const text = `External data ('${name}') is not supported here: use a table or parameters`;
      throw new ClickHouseError('NOT_IMPLEMENTED', text);
    }
    yield [name, Buffer.from(part.slice(split + 4), 'latin1').toString('utf8')];
  }
}
