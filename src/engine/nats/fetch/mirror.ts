/**
 * Which Debian mirror does this machine use? In: its apt sources. Out: the mirrors' addresses, the
 * most Debian-like first. Invariant: no address is built in: what the machine does not use is not
 * asked.
 *
 * Two formats: one-line (`deb [options] URI suite component…`) and deb822 (`URIs:`, `Suites:`, …).
 * A mirror qualifies when it serves component `main` of a suite of Debian itself and is not the
 * security archive, which has no unstable.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/** Suites and code names of Debian from the oldest that Node 20 runs on. */
const DEBIAN_SUITES = new Set([
  'oldoldstable',
  'oldstable',
  'stable',
  'testing',
  'unstable',
  'sid',
  'buster',
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'duke',
]);

export function readDebianMirrors(aptFolder = '/etc/apt'): string[] {
  const sources: AptSource[] = [];
  for (const path of sourceFiles(aptFolder)) {
    const text = readFileSync(path, 'utf8');
    sources.push(...(path.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)));
  }
  return pickMirrors(sources);
}

function sourceFiles(aptFolder: string): string[] {
  const paths: string[] = [];
  const listed = (folder: string) => {
    try {
      return readdirSync(folder).sort();
    } catch {
      return [];
    }
  };
  if (listed(aptFolder).includes('sources.list')) paths.push(join(aptFolder, 'sources.list'));
  const parts = join(aptFolder, 'sources.list.d');
  for (const name of listed(parts)) {
    if (/\.(list|sources)$/.test(name)) paths.push(join(parts, name));
  }
  return paths;
}

export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+([^#]+)/.exec(line);
    if (!match) continue;
    const [suite = '', ...components] = match[2]!.trim().split(/\s+/);
    sources.push({ uri: match[1]!, suites: [suite], components });
  }
  return sources;
}

export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  for (const stanza of withoutComments.split(/\n[ \t]*\n/)) {
    const fields = readFields(stanza);
    const values = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (!values('types').includes('deb') || /^(no|false|0)$/i.test(fields.get('enabled') ?? '')) {
      continue;
    }
    for (const uri of values('uris')) {
      sources.push({ uri, suites: values('suites'), components: values('components') });
    }
  }
  return sources;
}

function readFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of stanza.split('\n')) {
    const match = /^([A-Za-z][\w-]*)\s*:\s*(.*)$/.exec(line);
    if (match) name = match[1]!.toLowerCase();
    const value = match ? match[2]! : line.trim();
    if (name !== '') fields.set(name, `${fields.get(name) ?? ''} ${value}`.trim());
  }
  return fields;
}

export function pickMirrors(sources: readonly AptSource[]): string[] {
  const isDebian = ({ uri, suites, components }: AptSource) =>
    components.includes('main') &&
    !uri.startsWith('cdrom:') &&
    !/security/.test(uri) &&
    suites.some((suite) => DEBIAN_SUITES.has(suite.replace(/-(updates|backports)$/, '')));
  const uris = [...new Set(sources.filter(isDebian).map((source) => source.uri))];
  const looksOfficial = (uri: string) => (/\/debian\/?$/.test(uri) ? 0 : 1);
  return uris.sort((a, b) => looksOfficial(a) - looksOfficial(b));
}
