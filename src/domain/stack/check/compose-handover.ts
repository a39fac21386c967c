/** The one-shot service that hands the volume to a user who is not the image's own: it runs as root, and may do nothing else. */
import type { Finding } from '../../finding.ts'
import { handoverService, needsHandover } from '../compose.ts'
import { inContainer } from '../places.ts'
import { type ComposeCase, failed, type Judge, orOk } from './compose-case.ts'
import { flag, type ReadMount, type ReadService, textOf, texts } from './compose-read.ts'

const volumeOf = (mounts: readonly ReadMount[]) => mounts.find(({ target }) => target === inContainer.data)?.source

/** A volume is made the image user's; another user has to be handed it before the server starts. */
export const handover: Judge = (given) => {
  const { spec, has, compose } = given
  const name = handoverService(spec)
  const service = compose.service(name)
  if (!needsHandover(spec)) return service === undefined ? [] : leftOver(given, name, service)
  const { user } = spec.service
  const line = `depends_on: {${name}: {condition: service_completed_successfully}}`
  const so = `user ${user} could not write ${inContainer.data}, and the server would end at once`
  if (service === undefined) return [failed(given, 'hand-over', `no service ${name}: ${so}`, line)]
  if (has.dependsOn.get(name) !== 'service_completed_successfully')
    return [failed(given, 'hand-over', `the service does not wait for ${name}: ${so}`, line)]
  if (!handsOver(service, user) || volumeOf(service.mounts) !== volumeOf(has.mounts))
    return [failed(given, 'hand-over', `${name} does not hand the volume to ${user}: ${so}`, line)]
  if (isConfined(given, name, service)) return orOk([], 'hand-over', `${name} hands the volume to ${user}`)
  const detail = `${name} runs as root, with more than the volume and the right to hand it over`
  return [failed(given, 'hand-over', detail, `nothing more for ${name}`)]
}

function handsOver({ argv, raw, mounts }: ReadService, user: string): boolean {
  const isRoot = /^(0|root)(:(0|root))?$/.test(textOf(raw['user']))
  const isWritable = mounts.every(({ target, readOnly }) => target !== inContainer.data || !readOnly)
  return isRoot && isWritable && argv.join(' ') === `chown -R ${user} ${inContainer.data}`
}

function isConfined({ wanted, has, spec }: ComposeCase, name: string, { raw, mounts }: ReadService): boolean {
  const allowed = ['CHOWN', 'DAC_READ_SEARCH']
  const images = [spec.service.image, textOf(has.raw['image'])]
  const same = (key: string) => texts(raw[key]).join() === texts(wanted.raw[key]).join()
  return (
    images.includes(textOf(raw['image'])) &&
    flag(raw['privileged']) === false &&
    raw['network_mode'] === 'none' &&
    texts(raw['cap_drop']).includes('ALL') &&
    texts(raw['cap_add']).every((capability) => allowed.includes(capability)) &&
    // What both of ours have alike.
    same('security_opt') &&
    flag(raw['read_only']) === true &&
    ['no', ''].includes(textOf(raw['restart'])) &&
    mounts.every(({ target, more }) => target === inContainer.data && more.length === 0)
  )
}

/** Of a user that stack.yaml had before: it would take the volume away again. */
function leftOver(given: ComposeCase, name: string, { mounts }: ReadService): Finding[] {
  const data = volumeOf(given.has.mounts)
  if (data === undefined || !mounts.some(({ source }) => source === data)) return []
  const detail = `${name} has the volume too, and user ${given.spec.service.user} needs no hand-over: it may take it away`
  return [failed(given, 'hand-over', detail, `the service ${name} taken out beside it`)]
}
