/**
 * Finds a module that must be loaded by file (a worker, a child process) beside its caller, in the
 * source tree (run by tsx) as well as in the build.
 */
export function siblingModule(callerUrl: string, relative: string): URL {
  const extension = callerUrl.endsWith('.ts') ? '.ts' : '.js';
  return new URL(relative + extension, callerUrl);
}
