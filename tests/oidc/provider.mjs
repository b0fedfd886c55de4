// A real identity provider for the tests: node-oidc-provider (certified), in memory, on loopback, with a sign-in page
// that asks for nothing but a user name. What it is to do is said at /control, which no real provider has.
import { createServer } from 'node:http'
import { generateKeyPair, exportJWK } from 'jose'
import { Provider } from 'oidc-provider'

const settings = { redirects: [], signOutTo: [], people: {}, inUserinfo: false, keys: 1 }
const CLIENT = { client_id: 'steppe', client_secret: 'a secret+with/odd%signs' }
let issuer, answer
const keys = []

async function rebuilt() {
  while (keys.length < settings.keys) {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    keys.push({ ...(await exportJWK(privateKey)), kid: `key-${keys.length + 1}`, use: 'sig', alg: 'RS256' })
  }
  const provider = new Provider(issuer, {
    clients: [{ ...CLIENT, redirect_uris: settings.redirects, post_logout_redirect_uris: settings.signOutTo }],
    claims: { openid: ['sub', 'amr', 'acr'], profile: ['name', 'preferred_username', 'groups', 'department'] },
    conformIdTokenClaims: settings.inUserinfo,
    cookies: { keys: ['of the tests'] },
    // Its own pages fetch a font from the internet.
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { logoutSource: (ctx, form) => { ctx.body = page(`${form}<button form="op.logoutForm">Sign out</button>`) } },
    },
    renderError: (ctx, out) => { ctx.body = page(`<p>${out.error}</p>`) },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...settings.people[id]?.claims }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    // The newest key alone: what the older ones signed is not to be checked any more.
    jwks: { keys: keys.slice(-1) },
    pkce: { required: () => true },
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
  })
  const serve = provider.callback()
  answer = (request, response) =>
    request.url.startsWith('/interaction/') ? interact(provider, request, response) : serve(request, response)
}

async function interact(provider, request, response) {
  const asked = await provider.interactionDetails(request, response)
  if (request.method === 'GET' && asked.prompt.name === 'login') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(page('<form method="post"><label>User <input name="user" id="user"></label><button>Go on</button></form>'))
    return
  }
  const user = asked.session?.accountId ?? new URLSearchParams(await body(request)).get('user')
  if (!settings.people[user]) return provider.interactionFinished(request, response, { error: 'access_denied' })
  const grant = new provider.Grant({ accountId: user, clientId: asked.params.client_id })
  grant.addOIDCScope('openid profile')
  const { amr, acr } = settings.people[user]
  const login = { accountId: user, remember: false, amr, acr }
  await provider.interactionFinished(request, response, { login, consent: { grantId: await grant.save() } })
}

function page(content) {
  return `<!doctype html><html lang="en"><title>Identity provider</title><main><h1>Identity provider</h1>${content}</main></html>`
}

async function body(request) {
  let text = ''
  for await (const piece of request) text += piece
  return text
}

const server = createServer(async (request, response) => {
  if (request.url !== '/control') return answer(request, response)
  Object.assign(settings, JSON.parse(await body(request)))
  await rebuilt()
  response.end('{}')
})
server.listen(0, '127.0.0.1', async () => {
  issuer = `http://127.0.0.1:${server.address().port}`
  await rebuilt()
  console.log(issuer)
})
