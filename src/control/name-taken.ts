import { Problem } from '../domain/problem.ts'

/** The 409 of names that are unique over the whole installation. */
export const nameTaken = (noun: string, name: string): Problem =>
  new Problem('name-taken', `A ${noun} is named ${name}.`, {
    errors: [{ pointer: '/name', code: 'taken', detail: 'taken' }],
  })
