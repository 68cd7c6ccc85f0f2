/**
 * What a house rule is, and how each is tested. In: a rule with snippets that break it and snippets
 * that keep it. Out: tests that the rule catches the first and passes the second, and that the
 * checkout keeps it. A rule whose snippets it does not catch is a defect of the rule.
 */
import { expect } from 'chai';
import { makeSource, readCheckout, type SourceFile } from './source.ts';

/** Path → text of a file; several files where the rule looks at several. */
export type Snippet = Readonly<Record<string, string>>;

export interface Rule {
  /** Completes the sentence "the house keeps the rule that …". */
  readonly title: string;
  /** One line per violation: place, what was found, what is allowed. */
  readonly find: (files: readonly SourceFile[]) => string[];
  readonly broken: readonly Snippet[];
  readonly kept: readonly Snippet[];
}

/** A rule that looks at one file at a time, among those whose path matches. */
export function perFile(
  paths: RegExp,
  find: (file: SourceFile) => string[],
): (files: readonly SourceFile[]) => string[] {
  return (files) => files.filter(({ path }) => paths.test(path)).flatMap(find);
}

let checkout: SourceFile[] | null = null;

export function checkRules(title: string, rules: readonly Rule[]): void {
  describe(`the house keeps the rule that ${title}`, function () {
    this.timeout(120_000);
    for (const rule of rules) {
      describe(rule.title, () => {
        rule.broken.forEach((snippet, index) => {
          it(`catches violation ${index + 1}: ${summary(snippet)}`, () => {
            expect(rule.find(sourcesOf(snippet)), 'found').to.have.length.greaterThan(0);
          });
        });
        rule.kept.forEach((snippet, index) => {
          it(`accepts example ${index + 1}: ${summary(snippet)}`, () => {
            expect(rule.find(sourcesOf(snippet))).to.deep.equal([]);
          });
        });
        it('holds in this checkout', () => {
          checkout ??= readCheckout();
          const found = rule.find(checkout);
          expect(found.length, `\n  ${found.join('\n  ')}\n`).to.equal(0);
        });
      });
    }
  });
}

const sourcesOf = (snippet: Snippet) =>
  Object.entries(snippet).map(([path, text]) => makeSource(path, text));

function summary(snippet: Snippet): string {
  const [[path, text] = ['', '']] = Object.entries(snippet);
  return `${path} ${text.split('\n', 1)[0]!.slice(0, 60)}`.trim();
}
