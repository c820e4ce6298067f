// Lets Node run the TypeScript of the tests. dist/ is loaded as it was built: what is tested is what ships.
import '@oxc-node/core/register'
import { register } from 'node:module'

register('./load-dist-untouched.mjs', import.meta.url)
