// SPDX-License-Identifier: Apache-2.0
//
// independent.mjs URL UUID: sets a VM's budget with the npm package xen-api, as an
// operator's tool does, and waits for the status that comes back.
import { createClient } from 'xen-api'

const [url, uuid] = process.argv.slice(2)
const xapi = createClient({ url, auth: { user: 'root', password: 'any' }, watchEvents: ['VM'] })
xapi.on('error', error => { throw error })
await xapi.connect()
await xapi.objectsFetched
const vm = xapi.getObjectByUuid(uuid)
console.log('name', vm.name_label)
await xapi.call('VM.add_to_other_config', vm.$ref, 'vlibos:budget', '10ms')
try {
  await xapi.call('VM.add_to_other_config', vm.$ref, 'vlibos:budget', '20ms')
} catch (error) {
  console.log('refused', error.code)
}
const status = () => xapi.getObjectByUuid(uuid).other_config['vlibos:status']
while (!status()?.includes('in force')) {
  await new Promise(resolve => xapi.objects.once('finish', resolve))
}
console.log('status', status())
await xapi.disconnect()
process.exit(0)
