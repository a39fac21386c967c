/** Turn by turn: what the machine does meanwhile, it does to both. */

/** Calls both `count` times, A B A B …, after `warmUp` turns that do not count. */
export async function inTurns(
  count: number,
  warmUp: number,
  ours: (turn: number) => Promise<number>,
  raw: (turn: number) => Promise<number>,
): Promise<{ ours: number[]; raw: number[] }> {
  const measured = { ours: [] as number[], raw: [] as number[] }
  for (let turn = 0; turn < warmUp + count; turn++) {
    const [a, b] = [await ours(turn), await raw(turn)]
    if (turn < warmUp) continue
    measured.ours.push(a)
    measured.raw.push(b)
  }
  return measured
}
