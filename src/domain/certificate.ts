/**
 * Whether a certificate should be replaced now: in the last third of its lifetime, so that weeks of failed renewals
 * still end before it does. True as well once it has expired.
 */
export function renewalDue(validity: { notBefore: Date; notAfter: Date }, now: Date): boolean {
  const start = validity.notBefore.getTime()
  const end = validity.notAfter.getTime()
  return now.getTime() >= end - (end - start) / 3
}
