/** The tests' own enforcer of network policies: what its rules let through, by the meaning that Kubernetes gives to policies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KubeObjects, type KubePod, type KubePolicy, policyRules } from '../support/kube-policies.ts'

const pod = (namespace: string, name: string, podIP: string, labels = {}, phase = 'Running'): KubePod => ({
  metadata: { name, namespace, labels },
  spec: {},
  status: { phase, podIP },
})
const policy = (namespace: string, spec: Partial<KubePolicy['spec']>): KubePolicy => ({
  metadata: { name: 'p', namespace },
  spec: { podSelector: {}, policyTypes: ['Ingress'], ...spec },
})

const server = '10.244.0.2'
const client = '10.244.0.3'
const stranger = '10.244.0.4'
const other = '10.244.0.12'
const outside = '10.99.0.1'
const base: KubeObjects = {
  namespaces: [
    { metadata: { name: 'a', labels: { team: 'blue' } } },
    { metadata: { name: 'b', labels: { team: 'red' } } },
  ],
  pods: [
    pod('a', 'server', server, { app: 'server' }),
    pod('a', 'client', client, { client: 'true' }),
    pod('a', 'stranger', stranger),
    pod('b', 'other', other, { client: 'true' }),
  ],
  networkpolicies: [],
}
const withPolicies = (...networkpolicies: KubePolicy[]): KubeObjects => ({ ...base, networkpolicies })

/** Whether these rules let a first packet through, as the kernel goes through them. */
function passes(objects: KubeObjects, from: string, to: string, port = 6379, protocol = 'tcp'): boolean {
  const rules = policyRules(objects).split('\n')
  const number = (address: string) => address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
  const within = (address: string, block: string) => {
    const [first = '', bits] = block.split('/')
    const size = 2 ** (32 - Number(bits))
    return Math.floor(number(address) / size) === Math.floor(number(first) / size)
  }
  const meets = (rule: string): boolean =>
    !rule.includes('conntrack') &&
    [...rule.matchAll(/(! )?(-s|-d|-p|--dport) (\S+)/g)].every(([, not, flag, value = '']) => {
      const [low = '', high = low] = value.split(':')
      const met =
        flag === '-p'
          ? value === protocol
          : flag === '--dport'
            ? port >= Number(low) && port <= Number(high)
            : within(flag === '-s' ? from : to, value)
      return met !== (not !== undefined)
    })
  const through = (chain: string): boolean => {
    for (const rule of rules.filter((line) => line.startsWith(`-A ${chain} `) && meets(line))) {
      const target = rule.replace(/.* -j /, '')
      if (target === 'DROP') return false
      if (target === 'RETURN') return true
      if (!through(target)) return false
    }
    return true
  }
  return through('TEST-POLICY')
}

const clients = { podSelector: { matchLabels: { client: 'true' } } }
const tcp = (port: number, endPort?: number) => [{ protocol: 'TCP', port, ...(endPort && { endPort }) }]

test('without a policy everything passes, and answers always do', () => {
  assert.ok(passes(base, stranger, server))
  assert.match(policyRules(base), /-A TEST-POLICY -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN/)
})

test('a selected pod is denied what no rule allows, in the named direction alone', () => {
  const closed = withPolicies(policy('a', { podSelector: { matchLabels: { app: 'server' } } }))
  assert.equal(passes(closed, client, server), false)
  assert.equal(passes(closed, outside, server), false)
  assert.ok(passes(closed, server, client))
  assert.ok(passes(closed, client, stranger))
  assert.ok(passes(closed, server, server), 'itself')
  const mute = withPolicies(policy('a', { policyTypes: ['Egress'] }))
  assert.equal(passes(mute, server, other), false)
  assert.equal(passes(mute, server, outside, 53, 'udp'), false)
  assert.ok(passes(mute, other, server))
})

test('a policy is of its own namespace, and all of them together allow', () => {
  const both = withPolicies(policy('a', {}), policy('a', { ingress: [{ from: [clients] }] }), policy('b', {}))
  assert.ok(passes(both, client, server))
  assert.equal(passes(both, stranger, server), false)
  assert.equal(passes(both, other, server), false, 'a podSelector alone means pods of the same namespace')
})

test('a namespaceSelector alone means all its pods, with a podSelector these pods there', () => {
  const red = { namespaceSelector: { matchLabels: { team: 'red' } } }
  const blue = { namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'In', values: ['blue'] }] } }
  assert.ok(passes(withPolicies(policy('a', { ingress: [{ from: [red] }] })), other, server))
  assert.equal(passes(withPolicies(policy('a', { ingress: [{ from: [red] }] })), client, server), false)
  const one = withPolicies(policy('a', { ingress: [{ from: [{ ...blue, ...clients }] }] }))
  assert.ok(passes(one, client, server))
  assert.equal(passes(one, stranger, server), false)
  assert.equal(passes(one, other, server), false)
  const none = { podSelector: { matchExpressions: [{ key: 'client', operator: 'DoesNotExist' }] } }
  assert.ok(passes(withPolicies(policy('a', { ingress: [{ from: [none] }] })), stranger, server))
  assert.equal(passes(withPolicies(policy('a', { ingress: [{ from: [none] }] })), client, server), false)
})

test('ports and protocols, without peers for everybody; peers that are nobody let nobody in', () => {
  const open = withPolicies(policy('a', { ingress: [{ ports: [...tcp(6379), ...tcp(9000, 9010)] }] }))
  assert.ok(passes(open, outside, server))
  assert.ok(passes(open, other, server, 9005))
  assert.equal(passes(open, other, server, 9011), false)
  assert.equal(passes(open, other, server, 6379, 'udp'), false)
  const nobody = [{ podSelector: { matchLabels: { client: 'nobody' } } }]
  assert.equal(
    passes(withPolicies(policy('a', { ingress: [{ from: nobody, ports: tcp(6379) }] })), client, server),
    false,
  )
})

test('egress to an address block without its exceptions', () => {
  const ipBlock = { cidr: '10.99.0.0/16', except: ['10.99.0.0/31', '10.99.128.0/17'] }
  const block = withPolicies(policy('a', { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock }], ports: tcp(443) }] }))
  for (const address of ['10.99.0.2', '10.99.0.255', '10.99.127.255']) assert.ok(passes(block, server, address, 443))
  for (const address of ['10.99.0.0', '10.99.0.1', '10.99.128.0', '10.99.255.255', '10.98.0.2'])
    assert.equal(passes(block, server, address, 443), false, address)
})

test('the address of a pod that has ended is nobody’s', () => {
  const ended = {
    ...base,
    pods: [...base.pods.slice(0, 1), pod('a', 'client', client, { client: 'true' }, 'Succeeded')],
  }
  const rules = policyRules({ ...ended, networkpolicies: [policy('a', { ingress: [{ from: [clients] }] })] })
  assert.ok(!rules.includes(client))
})
