/** Pods beside a release that try what a network policy lets them reach. */
import type { Kube } from './kube.ts'

export type ProbePod = {
  namespace: string
  name: string
  labels?: Record<string, string>
  /** Ports that it answers on. */
  listens?: number[]
}

const manifest = ({ namespace, name, labels = {}, listens = [] }: ProbePod) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, labels },
  spec: {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 999, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'probe',
        image: 'valkey/valkey:8-alpine',
        command: ['sh', '-c', `${listens.map((port) => `nc -ll -p ${port} -e true & `).join('')}sleep 86400`],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
})

/** Makes namespaces, which take pods of pod security `restricted` only, and pods in them; waits until these are Ready. */
export async function startProbes(
  kube: Kube,
  namespaces: Record<string, Record<string, string>>,
  pods: readonly ProbePod[],
): Promise<void> {
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  const spaces = Object.entries(namespaces).map(([name, labels]) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { ...labels, ...restricted } },
  }))
  // The controllers make a namespace's service account a moment after it.
  const account = (namespace: string) =>
    kube.kubectl('-n', namespace, 'wait', '--for=create', 'serviceaccount/default', '--timeout=30s')
  const apply = (items: object[]) =>
    kube.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'apply', '-f', '-')
  await apply(spaces)
  await Promise.all(Object.keys(namespaces).map(account))
  await apply(pods.map(manifest))
  const ready = ({ namespace, name }: ProbePod) =>
    kube.kubectl('-n', namespace, 'wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s')
  await Promise.all(pods.map(ready))
}

/** Where a pod is asked from. */
export type Place = { namespace: string; pod: string; container?: string }

const knock = 'for at; do { ! nc -w 2 "${at%:*}" "${at#*:}" -e true 2>/dev/null || echo "$at"; } & done; wait'

/** Those of the targets, `ADDRESS:PORT`, that take a connection from this pod. Each has 2 s. */
export async function reached(kube: Kube, from: Place, targets: readonly string[]): Promise<string[]> {
  const inside = ['exec', from.pod, '-c', from.container ?? 'probe', '--', 'sh', '-c', knock, 'sh']
  const said = await kube.kubectl('-n', from.namespace, ...inside, ...targets)
  return said.split('\n').filter(Boolean).toSorted()
}
