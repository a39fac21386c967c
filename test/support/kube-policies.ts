/**
 * Enforces the NetworkPolicies of a test's Kubernetes, which stores them and does nothing. All pods of all nodes are reached by plain routes in one
 * network namespace: what a pod sends to another one passes its FORWARD chain, to the API server and to DNS its INPUT chain, both behind Services. What
 * begins outside of pods (kubelets, programs run by `kube.inside`) is let through, as a real node's is to its pods. No named ports, no IPv6.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Kube } from './kube.ts'
import { until } from './until.ts'

type Labels = Readonly<Record<string, string>>
type Selector = { matchLabels?: Labels; matchExpressions?: { key: string; operator: string; values?: string[] }[] }
type Peer = { podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: { cidr: string; except?: string[] } }
type Port = { protocol?: string; port?: number | string; endPort?: number }
type Rule = { from?: Peer[]; to?: Peer[]; ports?: Port[] }
type Meta = { name: string; namespace: string; labels?: Labels }
export type KubePolicy = {
  metadata: Meta
  spec: { podSelector: Selector; policyTypes: string[]; ingress?: Rule[]; egress?: Rule[] }
}
export type KubePod = { metadata: Meta; spec: { hostNetwork?: boolean }; status: { phase?: string; podIP?: string } }
export type KubeNamespace = { metadata: { name: string; labels?: Labels } }
export type KubeObjects = { pods: KubePod[]; namespaces: KubeNamespace[]; networkpolicies: KubePolicy[] }

const CHAIN = 'TEST-POLICY'

function selects(selector: Selector, labels: Labels = {}): boolean {
  const wanted = Object.entries(selector.matchLabels ?? {})
  const has = ({ key, operator, values = [] }: NonNullable<Selector['matchExpressions']>[number]): boolean => {
    const value = labels[key]
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    throw new Error(`unknown operator ${operator}`)
  }
  return wanted.every(([key, value]) => labels[key] === value) && (selector.matchExpressions ?? []).every(has)
}

const numberOf = (address: string): number => address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
const addressOf = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')

/** A block of addresses without others, as blocks: halves of halves, as far as an exception cuts them. */
function blockWithout(cidr: string, except: readonly string[]): string[] {
  const [address = '', length = '32'] = cidr.split('/')
  const bits = Number(length)
  const [first, size] = [numberOf(address), 2 ** (32 - bits)]
  const ranges = except.map((one) => {
    const [from = '', width = '32'] = one.split('/')
    return [numberOf(from), numberOf(from) + 2 ** (32 - Number(width))] as const
  })
  const cut = ranges.filter(([from, end]) => from < first + size && end > first)
  if (cut.length === 0) return [`${addressOf(first)}/${bits}`]
  if (cut.some(([from, end]) => from <= first && end >= first + size)) return []
  const halves = [first, first + size / 2].map((half) => `${addressOf(half)}/${bits + 1}`)
  return halves.flatMap((half) => blockWithout(half, except))
}

/** Pods that have an address of their own, by address; one that ended has given it back. */
const addressed = ({ pods }: KubeObjects): KubePod[] =>
  pods
    .filter(({ spec, status }) => status.podIP && !spec.hostNetwork && !/Succeeded|Failed/.test(status.phase ?? ''))
    .toSorted((one, other) => numberOf(one.status.podIP ?? '') - numberOf(other.status.podIP ?? ''))

function addressesOf(peer: Peer, policy: KubePolicy, objects: KubeObjects): string[] {
  if (peer.ipBlock !== undefined) return blockWithout(peer.ipBlock.cidr, peer.ipBlock.except ?? [])
  const { namespaceSelector, podSelector = {} } = peer
  const own = policy.metadata.namespace
  const namespaces = objects.namespaces
    .map(({ metadata }) => metadata)
    .filter(({ name, labels }) => (namespaceSelector ? selects(namespaceSelector, labels) : name === own))
    .map(({ name }) => name)
  return addressed(objects)
    .filter(({ metadata }) => namespaces.includes(metadata.namespace) && selects(podSelector, metadata.labels))
    .map(({ status }) => `${status.podIP}/32`)
}

function portMatch({ protocol = 'TCP', port, endPort }: Port): string {
  const name = protocol.toLowerCase()
  if (port === undefined) return ` -p ${name}`
  if (typeof port === 'string') throw new Error(`named ports are not known here: ${port}`)
  return ` -p ${name} --dport ${port}${endPort === undefined ? '' : `:${endPort}`}`
}

/** What one rule lets through: RETURN leads on to the other direction, and then out. */
function allowed(chain: string, rule: Rule, policy: KubePolicy, objects: KubeObjects): string[] {
  const [peers, flag] = chain.startsWith('TEST-TO-') ? [rule.from, '-s'] : [rule.to, '-d']
  const blocks = peers?.flatMap((peer) => addressesOf(peer, policy, objects)) ?? []
  // No peers are all; peers that select nobody are nobody. The same holds for ports.
  const sides = peers?.length ? blocks.map((block) => ` ${flag} ${block}`) : ['']
  const ports = rule.ports?.length ? rule.ports.map(portMatch) : ['']
  return sides.flatMap((side) => ports.map((port) => `-A ${chain}${side}${port} -j RETURN`))
}

/**
 * All policies as input of `iptables-restore --noflush`. A pod that a policy of a direction selects is denied everything in that direction but
 * what one of them allows; answers pass, and what a pod sends itself.
 */
export function policyRules(objects: KubeObjects): string {
  const chains: string[] = []
  const rules: string[] = [`-A ${CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN`]
  for (const pod of addressed(objects)) {
    const address = pod.status.podIP ?? ''
    const { namespace, labels } = pod.metadata
    const inNamespace = objects.networkpolicies.filter(({ metadata }) => metadata.namespace === namespace)
    const policies = inNamespace.filter(({ spec }) => selects(spec.podSelector, labels))
    for (const [type, rulesOf, way, flag, other] of [
      ['Ingress', 'ingress', 'TO', '-d', '-s'],
      ['Egress', 'egress', 'FROM', '-s', '-d'],
    ] as const) {
      const ofType = policies.filter(({ spec }) => spec.policyTypes.includes(type))
      if (ofType.length === 0) continue
      const chain = `TEST-${way}-${address}`
      chains.push(chain)
      rules.push(`-A ${CHAIN} ${flag} ${address}/32 ! ${other} ${address}/32 -j ${chain}`)
      const lines = ofType.flatMap((policy) =>
        (policy.spec[rulesOf] ?? []).flatMap((rule) => allowed(chain, rule, policy, objects)),
      )
      rules.push(...[...new Set(lines)].sort(), `-A ${chain} -j DROP`)
    }
  }
  return ['*filter', ...[CHAIN, ...chains].map((name) => `:${name} - [0:0]`), ...rules, 'COMMIT', ''].join('\n')
}

export type Enforcer = {
  /** Waits until what is stored now is what is enforced. */
  caughtUp(): Promise<void>
  /** Ends watching, and rejects where that failed before. The rules stay as they are. */
  stop(): Promise<void>
}

const paths = {
  pods: '/api/v1/pods',
  namespaces: '/api/v1/namespaces',
  networkpolicies: '/apis/networking.k8s.io/v1/networkpolicies',
}
type Kind = keyof typeof paths
const kinds = Object.keys(paths) as Kind[]

/** Each change is a line; what is there already comes first. */
function watch(kube: Kube, kind: Kind, changed: (gone: boolean, uid: string, object: object) => void): ChildProcess {
  const [program, args] = kube.command('kubectl', 'get', '--raw', `${paths[kind]}?watch=1`)
  const child = spawn(program, args, { env: { ...process.env, ...kube.env }, stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { type, object } = JSON.parse(line) as { type: string; object: { metadata: { uid: string } } }
    changed(type === 'DELETED', object.metadata.uid, object)
  })
  return child
}

/** Enforces them from now on, as pods, labels and policies come, change and go. End it by {@link Enforcer.stop} before the Kubernetes. */
export async function enforcePolicies(kube: Kube): Promise<Enforcer> {
  const seen = new Map<string, { kind: Kind; object: object }>()
  const file = join(kube.dir, 'policies')
  let applied = ''
  let working: Promise<void> | undefined
  let failure: unknown
  const ofKind = (kind: Kind) => [...seen.values()].filter((one) => one.kind === kind).map(({ object }) => object)
  const objects = () => Object.fromEntries(kinds.map((kind) => [kind, ofKind(kind)])) as KubeObjects
  const apply = async (): Promise<void> => {
    for (let rules = policyRules(objects()); rules !== applied; rules = policyRules(objects())) {
      writeFileSync(file, rules)
      await kube.inside('iptables-restore', '--wait', '--noflush', file)
      applied = rules
    }
  }
  const change = (kind: Kind) => (gone: boolean, uid: string, object: object) => {
    if (gone) seen.delete(uid)
    else seen.set(uid, { kind, object })
    working ??= apply()
      .catch((error: unknown) => (failure ??= error))
      .then(() => (working = undefined))
  }
  await apply()
  for (const chain of ['FORWARD', 'INPUT']) await kube.inside('iptables', '--wait', '-I', chain, '-j', CHAIN)
  const children = kinds.map((kind) => watch(kube, kind, change(kind)))
  const over = children.map((child) => once(child, 'exit'))
  return {
    async caughtUp() {
      const now = async () => {
        const list = async (kind: Kind) => [kind, (JSON.parse(await kube.get(paths[kind])) as { items: [] }).items]
        return policyRules(Object.fromEntries(await Promise.all(kinds.map(list))) as KubeObjects) === applied
      }
      await until(now, 'the policies to be enforced')
    },
    async stop() {
      const ended = children.some(({ exitCode }) => exitCode !== null)
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(over)
      await working
      if (failure !== undefined) throw failure
      if (ended) throw new Error('a watch of the API server ended')
    },
  }
}
