import type { FastifyInstance } from 'fastify'

/** The page runs its own bundled script and asks for nothing outside: the browser holds it to that. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "frame-ancestors 'none'",
].join('; ')

/** A little app that serves the page alone. Its package carries 4 MB of script: loaded at the first visit only. */
async function makePage(): Promise<FastifyInstance> {
  const [{ default: fastify }, { default: reference }] = await Promise.all([
    import('fastify'),
    import('@scalar/fastify-api-reference'),
  ])
  const page = fastify()
  await page.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'Valkeep API',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  })
  await page.ready()
  return page
}

/** The API page at /docs/, from the package itself. */
export function docsRoutes(app: FastifyInstance): void {
  let page: Promise<FastifyInstance> | undefined
  app.addHook('onClose', async () => (await page)?.close())
  app.get('/docs', { config: { scope: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply.redirect('/docs/', 308),
  )
  for (const url of ['/docs/', '/docs/js/scalar.js']) {
    app.get(url, { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) => {
      page ??= makePage()
      const answer = await (await page).inject({ method: 'GET', url })
      reply.header('content-security-policy', contentSecurityPolicy)
      return reply.code(answer.statusCode).type(String(answer.headers['content-type'])).send(answer.rawPayload)
    })
  }
}
