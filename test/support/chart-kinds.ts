/** Kinds that the chart makes objects of and that a bare API server does not have. Their fields are not checked. */
import type { Kube } from './kube.ts'

const kinds: [group: string, kind: string, plural: string][] = [
  ['monitoring.coreos.com', 'ServiceMonitor', 'servicemonitors'],
  ['monitoring.coreos.com', 'PodMonitor', 'podmonitors'],
  ['monitoring.coreos.com', 'PrometheusRule', 'prometheusrules'],
  ['cert-manager.io', 'Certificate', 'certificates'],
]

const definition = ([group, kind, plural]: (typeof kinds)[number]) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

/** Makes them known, and waits until they are. */
export async function makeKinds(kube: Kube): Promise<void> {
  const items = kinds.map(definition)
  await kube.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'apply', '-f', '-')
  await kube.kubectl('wait', '--for=condition=Established', ...items.map(({ metadata }) => `crd/${metadata.name}`))
}
