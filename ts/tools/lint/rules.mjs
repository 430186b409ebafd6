// Who may know whom: the design's layers as two tables. docs/architecture.md shows the same tables to people, and a test keeps them equal.

/**
 * TypeScript. Each folder of ts/ and the folders whose `#alias` it may import; npm packages are free unless a rule of `builtins` says no.
 * `alsoNot` gives the reason behind a missing entry that one would expect, for the message.
 * @type {Record<string, { imports: string[], builtins?: { allowed: string[], why: string }, alsoNot?: string }>}
 */
export const typescriptLayers = {
  model: { imports: [], alsoNot: 'the nouns stand alone: everything else is built on them' },
  wire: {
    imports: ['model'],
    builtins: { allowed: ['buffer'], why: 'a codec holds no state and does no I/O' },
  },
  protocol: {
    imports: ['model', 'wire'],
    builtins: {
      allowed: [],
      why: 'a protocol machine is sans-IO: (event, now) to effects. Let the layer that runs it do the I/O',
    },
  },
  tls: { imports: ['model'], alsoNot: "who speaks what over TLS is its users' business" },
  dataplane: { imports: ['model', 'wire', 'protocol'] },
  store: { imports: ['model'], alsoNot: 'durable state knows no protocol' },
  nva: {
    imports: ['model', 'wire', 'protocol', 'tls'],
    alsoNot: 'the NVA side never touches the engine: roles joins them',
  },
  hypervisor: {
    imports: ['model', 'wire', 'protocol', 'tls'],
    alsoNot: 'the hypervisor side never touches the engine: roles joins them',
  },
  roles: {
    imports: ['model', 'protocol', 'dataplane', 'store', 'nva', 'hypervisor'],
    alsoNot: 'roles parses no bytes: hand them to the protocol machine, or decode in nva or hypervisor',
  },
  perf: { imports: ['model', 'dataplane'], alsoNot: 'measuring needs an engine, no NVA and no hypervisor' },
  api: { imports: ['model', 'hypervisor', 'roles', 'perf'], alsoNot: 'a face goes through roles' },
  tools: {
    imports: ['model', 'dataplane', 'hypervisor', 'roles', 'perf'],
    alsoNot: 'a tool goes through roles, the RPC client of hypervisor, or the engine',
  },
  cli: {
    imports: ['model', 'hypervisor', 'roles', 'perf', 'api', 'tools'],
    alsoNot: 'a face goes through roles, or asks a running role with the RPC client of hypervisor',
  },
};

/**
 * Folders of plain JavaScript that must run before anything is installed or built.
 * @type {Record<string, string>}
 */
export const standalone = {
  'ts/tools/setup':
    'setup runs before anything is installed or built: only node: modules and files of ts/tools are there',
};

/**
 * Rust. Each crate (by its folder in native/; `binding` is the root package), the workspace crates it may depend on, whether it may use
 * crates from outside, and how it stands to `unsafe`: `forbid` wants `#![forbid(unsafe_code)]` in lib.rs, a list of files wants
 * `#![deny(unsafe_code)]` there and lets these files allow it again, `free` asks for nothing.
 * @type {Record<string, { crates: string[], external: boolean, unsafe: 'forbid' | 'free' | string[] }>}
 */
export const rustCrates = {
  types: { crates: [], external: false, unsafe: 'forbid' },
  wire: { crates: ['types'], external: true, unsafe: 'forbid' },
  tables: { crates: ['types'], external: true, unsafe: ['native/tables/src/prefetch.rs'] },
  pipeline: { crates: ['types', 'wire', 'tables'], external: true, unsafe: 'forbid' },
  'dpdk-bindings': { crates: [], external: true, unsafe: 'free' },
  dpdk: { crates: ['dpdk-bindings'], external: true, unsafe: 'free' },
  engine: { crates: ['types', 'wire', 'tables', 'pipeline', 'dpdk'], external: true, unsafe: [] },
  // napi's macros write code that allows `unsafe` to itself, which `forbid` would refuse.
  binding: { crates: ['engine'], external: true, unsafe: [] },
  core: { crates: ['engine'], external: true, unsafe: 'forbid' },
};
