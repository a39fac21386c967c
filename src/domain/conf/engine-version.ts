/**
 * Whether an engine's version, as INFO says it (`8.0.1`, `9.1.2-rc1`), is at least `wanted` (`8.1`).
 * @throws TypeError where `version` does not begin with a major and a minor number
 */
export function engineAtLeast(version: string, wanted: string): boolean {
  const [major, minor] = majorMinor(version)
  const [wantedMajor, wantedMinor] = majorMinor(wanted)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

function majorMinor(version: string): [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(version)
  if (match === null) throw new TypeError(`not an engine version: ${JSON.stringify(version)}`)
  return [Number(match[1]), Number(match[2])]
}
