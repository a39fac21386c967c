/** Subjects of certificates, as people write them for openssl: `/CN=valkey/O=OdraLabs`. */

export type SubjectPart = { type: 'CN' | 'O' | 'OU' | 'L' | 'ST' | 'C'; value: string }

/** The parts of a subject that the schema has accepted, in their order. */
export function subjectParts(subject: string): SubjectPart[] {
  return subject
    .slice(1)
    .split('/')
    .map((part) => {
      const at = part.indexOf('=')
      return { type: part.slice(0, at) as SubjectPart['type'], value: part.slice(at + 1) }
    })
}
