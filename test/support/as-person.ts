/** Root's tests of what happens to people who are not. */

/**
 * The command line that runs a program as another user, who may read every file all the same: a clone often lies in root's
 * own directory. Whoever is not root runs it as themselves, which is what it is about.
 * @param person `UID:GID`
 */
export function asPerson(
  person: string,
  program: string,
  words: readonly string[],
): [program: string, words: string[]] {
  if (process.getuid?.() !== 0) return [program, [...words]]
  const [uid, gid] = person.split(':')
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
  const reads = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
  return ['setpriv', [...ids, ...reads, program, ...words]]
}
