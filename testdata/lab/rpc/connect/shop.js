// What server.js and client.js share: the service, described without generated code.
import { create, createFileRegistry } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
  StringValueSchema,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt'

const type = `.${StringValueSchema.typeName}`
const method = (name, more = {}) => ({ name, inputType: type, outputType: type, ...more })

const file = create(FileDescriptorProtoSchema, {
  name: 'shop.proto',
  package: 'wirespan.lab',
  syntax: 'proto3',
  dependency: ['google/protobuf/wrappers.proto'],
  service: [{
    name: 'Shop',
    method: [
      method('Price'),
      method('Fail'),
      method('Sleep'),
      // Has no side effects, so that Connect may ask for it with GET.
      method('Look', { options: { idempotencyLevel: Idempotency.NO_SIDE_EFFECTS } }),
      method('Absent'),
      method('List', { serverStreaming: true }),
      method('Upload', { clientStreaming: true }),
      method('Chat', { clientStreaming: true, serverStreaming: true }),
    ],
  }],
})

const registry = createFileRegistry(file, (name) => (
  name === 'google/protobuf/wrappers.proto' ? file_google_protobuf_wrappers.proto : undefined))

export const Shop = registry.getService('wirespan.lab.Shop')
export const message = (value) => create(registry.getMessage(StringValueSchema.typeName), { value })
export const wait = (ms) => new Promise((done) => setTimeout(done, ms ?? 0))
