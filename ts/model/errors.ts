/**
 * The error registry: every error that a user can meet has one row here. `docs/errors.md` is generated from it (a test
 * compares them; `UPDATE_DOCS=1 npx vitest run ts/model` rewrites the page).
 *
 * A code is `NVE-<AREA>-<nnn>` and never changes its meaning. Add a row to the section of its area; never reuse a number.
 * `{name}` in a message or hint is filled from the error's context, and the compiler asks for exactly those names.
 * `exit` is the command line's exit code: 1 failed, 2 wrong usage, 3 not found, 69 somebody is away, 75 too slow, 77 no
 * permission, 78 wrong configuration.
 * `retryable`: the same request may succeed later without anybody changing it.
 */

export interface ErrorRow {
  readonly message: string;
  readonly hint: string;
  readonly exit: 1 | 2 | 3 | 69 | 75 | 77 | 78;
  readonly retryable?: true;
}

export const AREAS = {
  VAL: 'values: a number, name or address out of its rules',
  WIRE: 'bytes from a socket that are not what the protocol says',
  CFG: 'configuration files',
  CLI: 'the command line',
  RPC: 'the local API',
  TLS: 'certificates, on either side of a connection',
  TSI: 'the life cycle of Tenant System Interfaces',
  TAG: 'tags of the access links',
  STO: 'what an agent remembers over its restarts',
  ECP: 'the Edge Control Protocol on the access links, under VDP',
  VDP: 'the negotiation between stations and the NVE (IEEE 802.1Q VDP)',
  AUT: "the agent's own policy",
  NVA: 'the Network Virtualization Authority: what it refuses',
  NNP: 'the session with the Network Virtualization Authority',
  ENG: 'the engine refuses a command',
  DPDK: 'a DPDK call failed',
  EAL: 'DPDK could not start',
  SYS: 'the machine: files, sockets, permissions, tools',
} as const;

export type ErrorArea = keyof typeof AREAS;

export const ERRORS = {
  // VAL: the message names the thing; whoever reports it adds the place.
  'NVE-VAL-001': {
    message: '{what} is {got}, expected an integer from {min} to {max}',
    hint: 'Use a number of that range.',
    exit: 2,
  },
  'NVE-VAL-002': { message: '{what} is {got}, expected {rule}', hint: 'Write it in that form.', exit: 2 },

  // WIRE
  'NVE-WIRE-001': {
    message: 'a frame of {length} bytes was announced, the limit is {limit}',
    hint: 'The peer does not speak this protocol, or is of another version.',
    exit: 1,
  },
  'NVE-WIRE-002': {
    message: 'not acceptable MessagePack at byte {offset}: {problem}',
    hint: 'The peer does not speak this protocol, or is of another version.',
    exit: 1,
  },
  'NVE-WIRE-003': {
    message: '{at} is {got}, expected {expected}',
    hint: 'The peer breaks the protocol: compare its version with docs/nnp.md and docs/rpc.md.',
    exit: 1,
  },
  'NVE-WIRE-004': {
    message: 'a frame of the unknown kind {kind} is marked critical',
    hint: 'The peer is newer than this program: upgrade this side, or let the peer offer an older version.',
    exit: 1,
  },
  'NVE-WIRE-005': {
    message: 'the frame to send has {length} bytes, the limit is {limit}',
    hint: 'Send less at once.',
    exit: 1,
  },
  'NVE-WIRE-006': {
    message: '{at} is {got}, expected {expected}',
    hint: 'The peer on the access link breaks IEEE 802.1Q or 802.1AB: look at its frames with tcpdump -e -X, and update its LLDP and VDP software.',
    exit: 1,
  },
  'NVE-WIRE-007': {
    message: 'no capture that can be read: {at} is {got}, expected {expected}',
    hint: 'Save the frames of an Ethernet interface as classic pcap: tshark -F pcap -r FILE -w NEW, or tcpdump -i IFACE -w NEW.',
    exit: 2,
  },

  // CFG
  'NVE-CFG-001': {
    message: 'cannot read {file}: {reason}',
    hint: 'Give an existing, readable file with -c FILE.',
    exit: 78,
  },
  'NVE-CFG-002': { message: '{file} has {count} mistake(s)', hint: 'Mend the lines named and start again.', exit: 78 },

  // CLI
  'NVE-CLI-001': { message: 'unknown command {command}', hint: 'See splitnve --help.', exit: 2 },
  'NVE-CLI-002': { message: 'wrong usage: {problem}', hint: 'See the --help of the command.', exit: 2 },
  'NVE-CLI-003': {
    message: 'cannot read {file}: {reason}',
    hint: 'Give an existing, readable file.',
    exit: 2,
  },

  'NVE-CLI-004': {
    message: 'cannot write {file}: {reason}',
    hint: 'Give a place where this user may make a file.',
    exit: 1,
  },

  // RPC
  'NVE-RPC-001': {
    message: 'cannot reach {socket}: {reason}',
    hint: 'Start splitnve agent or tnve there, or name another place with --socket or --tls.',
    exit: 69,
    retryable: true,
  },
  'NVE-RPC-002': { message: 'unknown method {method}', hint: 'See docs/rpc.md for the methods of this role.', exit: 2 },
  'NVE-RPC-003': { message: '{method}: {problem}', hint: 'See docs/rpc.md for the parameters.', exit: 2 },
  'NVE-RPC-004': {
    message: '{method} was not finished within {deadline_ms} ms; what it began is rolled back',
    hint: 'Ask again, with a longer deadline; see splitnve show nva when this goes on.',
    exit: 75,
    retryable: true,
  },
  'NVE-RPC-005': {
    message: 'no common RPC version: the client offers {offered}, the server has {supported}',
    hint: 'Use a client of the same release.',
    exit: 2,
  },
  'NVE-RPC-006': {
    message: 'the first request must be hello, got {method}',
    hint: 'Send hello first; see docs/rpc.md.',
    exit: 2,
  },
  'NVE-RPC-007': {
    message: 'the connection to {socket} ended before the answer to {method}',
    hint: 'Ask again: every method is idempotent.',
    exit: 69,
    retryable: true,
  },
  'NVE-RPC-008': {
    message: 'too many {what}: the limit is {limit}',
    hint: 'Close idle connections, or wait for answers before asking more.',
    exit: 1,
    retryable: true,
  },

  'NVE-RPC-009': { message: 'no port {port}: the ports are {known}', hint: 'See splitnve show ports.', exit: 3 },
  'NVE-RPC-010': { message: 'no VN {vn} here', hint: 'See splitnve show vn.', exit: 3 },
  'NVE-RPC-011': {
    message: '{client} may not use link {link}',
    hint: "Name another link, or add this one to the links of [[rpc.tls.client]] {client} in the agent's configuration.",
    exit: 77,
  },
  'NVE-RPC-012': {
    message: 'the agent does not know {client}',
    hint: "Add a [[rpc.tls.client]] with this name and its links to the agent's configuration.",
    exit: 77,
  },
  'NVE-RPC-013': {
    message: '{method} is served on the local socket only',
    hint: 'Run it on the NVE itself, with --socket.',
    exit: 77,
  },
  'NVE-RPC-016': {
    message: "the agent does not accept the client's certificate: {reason}",
    hint: 'Show one, of the authority that [rpc.tls] of the agent names and valid now (--cert and --key).',
    exit: 77,
  },

  'NVE-RPC-018': {
    message: 'frames are being recorded already',
    hint: 'Only one splitnve capture can run at a time: end the other one, or wait until it ends.',
    exit: 1,
    retryable: true,
  },
  'NVE-RPC-019': {
    message: 'there is no recording {capture} any more',
    hint: 'One ends when nobody reads it for five seconds: start it again.',
    exit: 3,
  },

  'NVE-RPC-017': {
    message: '{port} is in use by {holder}',
    hint: 'Detach that first, or name another interface, socket or function.',
    exit: 1,
  },

  // TSI
  'NVE-TSI-001': {
    message: 'no TSI {tsi} on link {link}',
    hint: 'Associate it first; splitnve tsi list shows what is there.',
    exit: 3,
  },
  'NVE-TSI-002': {
    message: 'TSI {tsi} is in VN {vn} on link {link}, and cannot be in VN {asked} at the same time',
    hint: 'De-associate it from {vn} first: a move goes to another link, never to another VN.',
    exit: 1,
  },
  'NVE-TSI-003': {
    message: 'MAC {mac} of VN {vn} is held by TSI {holder} on link {link}',
    hint: 'Give TSI {tsi} another MAC, or detach {holder} first.',
    exit: 1,
  },
  'NVE-TSI-004': {
    message: 'unknown access link {link}',
    hint: 'Use the name of an access port of the configuration: {known}.',
    exit: 3,
  },
  'NVE-TSI-005': {
    message: 'link {link} is down',
    hint: 'Bring the link up, then ask again.',
    exit: 1,
    retryable: true,
  },
  'NVE-TSI-006': {
    message: '{request} of TSI {tsi} on link {link} was overtaken by {by}',
    hint: 'Ask again if it is still wanted.',
    exit: 1,
    retryable: true,
  },
  'NVE-TSI-007': {
    message: 'TSI {tsi} on link {link} was de-associated by the NVE: {reason}',
    hint: 'Associate it again when the reason is gone.',
    exit: 1,
  },
  'NVE-TSI-008': {
    message: 'link {link} already carries {limit} TSIs',
    hint: 'Detach TSIs that are no longer used, or raise the limit in the configuration.',
    exit: 1,
  },
  'NVE-TSI-009': {
    message: 'TSI {tsi} has no MAC',
    hint: 'Name at least one MAC: what is not known cannot be forwarded.',
    exit: 2,
  },
  'NVE-TSI-010': {
    message: 'TSI {tsi} has {count} {what}, the limit is {limit}',
    hint: 'Name fewer addresses.',
    exit: 2,
  },

  'NVE-TSI-011': {
    message: 'VN {vn} has an MTU of {mtu}, which needs {need} on port {port}; it has {have}',
    hint: "Raise the port's mtu in the configuration, or lower the VN's MTU at the NVA.",
    exit: 1,
  },
  'NVE-TSI-012': {
    message: 'link {link} is taken down: no underlay port of the NVE has a link',
    hint: 'Bring a port of [[underlay]] up; then it comes back by itself.',
    exit: 1,
    retryable: true,
  },

  // TAG
  'NVE-TAG-001': {
    message: 'no free tag on link {link}: all {size} of its pool {pool} are in use ({holders})',
    hint: 'Widen the VLAN pool of {link} (or of its access domain) in the configuration, or detach a VN from it; a tag that was just given back is free within seconds.',
    exit: 1,
  },
  'NVE-TAG-002': {
    message: 'the VLAN pool {pool} of access link or domain {link} is not usable: {problem}',
    hint: 'Give ranges within 2 to 4094.',
    exit: 78,
  },
  'NVE-TAG-003': {
    message: 'VID {vid} cannot name VN {vn} on link {link}: {reason}',
    hint: 'Ask with VID 0: the NVE chooses the tag.',
    exit: 1,
  },
  'NVE-TAG-004': {
    message: 'link {link} is as a whole VN {vn}, and cannot be VN {asked} too',
    hint: 'Detach what is in {vn} from {link} first, or use another port.',
    exit: 1,
  },

  // STO
  'NVE-STO-001': {
    message: 'cannot use the store {path}: {reason}',
    hint: 'Make {path} a directory that this user may read and write, with free space; or name another one in [store] path.',
    exit: 77,
  },
  'NVE-STO-002': {
    message: 'the store {path} is damaged: {problem}',
    hint: 'Bring {path} back from a backup, or move it away and start again: stations of VDP associate again by themselves, possibly with other VIDs; what was attached by RPC must be attached again. An NVA hears from its NVEs again; what was made there by command must be imported again.',
    exit: 78,
  },
  'NVE-STO-003': {
    message:
      'the store {path} has format {format}, which a newer release wrote; this one knows formats up to {supported}',
    hint: 'Start the newer release again, or move {path} away to begin without what it remembers.',
    exit: 78,
  },
  'NVE-STO-004': {
    message: 'the store {path} is in use by process {pid}',
    hint: 'Stop that process first, or give each a [store] path of its own.',
    exit: 75,
    retryable: true,
  },
  'NVE-STO-005': {
    message: 'cannot write to the store {path}: {reason}',
    hint: 'Free space where {path} lies, or make it writable, then ask again.',
    exit: 75,
    retryable: true,
  },

  // VDP
  'NVE-VDP-001': {
    message: 'VSI {vsi}: {problem}',
    hint: 'Let the station use the filter formats 1 to 4, or add the format to the configuration.',
    exit: 1,
  },
  'NVE-VDP-002': {
    message: 'VSI {vsi}: {problem}',
    hint: 'Correct GroupID, VID or MAC at the station; a VID of 0 lets the NVE choose it.',
    exit: 1,
  },
  'NVE-VDP-003': {
    message: '{holder} already has {limit} VSIs',
    hint: 'De-associate VSIs that are no longer used, or raise the limit in the configuration.',
    exit: 1,
    retryable: true,
  },
  'NVE-VDP-004': {
    message: 'VSI {vsi}: its station {station} has been silent for {ms} ms',
    hint: 'Check the station and the link: it sends a keep-alive for each association.',
    exit: 69,
    retryable: true,
  },
  'NVE-VDP-005': {
    message: 'VSI {vsi} was de-associated by the NVE: {reason}',
    hint: 'Associate it again when the reason is gone.',
    exit: 1,
  },
  'NVE-VDP-006': {
    message: 'VSI {vsi}: the NVE refused {command} with error {code} ({meaning})',
    hint: '{remedy}',
    exit: 1,
  },
  'NVE-VDP-007': {
    message: 'VSI {vsi}: the NVE did not answer {command} within {ms} ms',
    hint: 'Check the link and the NVE; ask again.',
    exit: 75,
    retryable: true,
  },
  'NVE-VDP-008': {
    message: 'VSI {vsi}: the NVE answered with another {field}',
    hint: 'The NVE breaks IEEE 802.1Q clause 41: look at its frames.',
    exit: 1,
  },
  'NVE-VDP-009': {
    message: 'VSI {vsi}: {command} was overtaken by {by}',
    hint: 'Ask again if it is still wanted.',
    exit: 1,
    retryable: true,
  },
  'NVE-VDP-020': {
    message: 'no NVE is heard on uplink {uplink}: no LLDP frame with an EVB TLV of a bridge came',
    hint: 'Start splitnve agent at the other end, bring the link up, and let nothing between drop 01-80-C2-00-00-00; or set uplink.protocol = "rpc".',
    exit: 69,
    retryable: true,
  },
  'NVE-VDP-021': {
    message: 'the NVE {bridge} on uplink {uplink} takes no GroupIDs, and VDP names a VN by nothing else',
    hint: 'Switch GroupIDs on at the NVE (BGID of its EVB TLV), or set uplink.protocol = "rpc".',
    exit: 1,
  },
  'NVE-VDP-022': {
    message: 'VN {vn} has no VNI here, and VDP names a VN by its VNI',
    hint: 'Add a [[vn]] with its name and vni to the configuration, or name the VN vni:NUMBER.',
    exit: 3,
  },
  'NVE-VDP-023': {
    message: 'TSI {tsi} has the VSIID {vsi}, which is that of TSI {holder}',
    hint: 'Give it another id: UUIDs are the same in capital and small letters.',
    exit: 1,
  },

  'NVE-VDP-010': {
    message: 'TSI {tsi} on link {link} is held over VDP by VSI {vsi} of station {station}: {method} is refused',
    hint: 'Let the station change it; or detach it, which the station is told with an unsolicited De-Associate.',
    exit: 1,
  },

  // TLS
  'NVE-TLS-001': {
    message: 'cannot use {file} as {what}: {reason}',
    hint: 'Name a readable PEM file.',
    exit: 78,
  },
  'NVE-TLS-002': { message: 'no TLS with {endpoint}: {reason}', hint: '{remedy}', exit: 77 },

  // AUT
  'NVE-AUT-001': {
    message: 'TSI {tsi} may not join VN {vn} on link {link}: {reason}',
    hint: 'Allow it with an [[authorization.rule]] in the configuration of the agent.',
    exit: 1,
  },
  'NVE-AUT-002': {
    message: 'no [[authorization.vn]] of the agent is VN {vn}',
    hint: 'Add the VN to the configuration of the agent, or let the NVA decide (authorization.mode).',
    exit: 3,
  },

  // NVA: also what NNP carries as `code`.
  'NVE-NVA-001': { message: 'no VN {vn} at the NVA', hint: 'Create the VN at the NVA, or check the name.', exit: 3 },
  'NVE-NVA-002': {
    message: 'TSI {tsi} may not join VN {vn}: {reason}',
    hint: 'Allow it in the policy of the NVA.',
    exit: 1,
  },
  'NVE-NVA-003': {
    message: 'MAC {mac} of VN {vn} is held by TSI {holder} at NVE {nve}',
    hint: 'Give the TSI another MAC, or detach {holder} first.',
    exit: 1,
  },
  'NVE-NVA-004': { message: 'NVE {nve} may not serve VN {vn}', hint: 'Assign the VN to this NVE at the NVA.', exit: 1 },
  'NVE-NVA-005': {
    message: 'underlay address {ip} is not registered for NVE {nve}',
    hint: 'Register the address for this NVE at the NVA, or correct the underlay address of the agent.',
    exit: 1,
  },
  'NVE-NVA-006': {
    message: 'NVE {nve} is unknown',
    hint: 'Register this NVE at the NVA, or correct the nve id of the agent.',
    exit: 1,
  },
  'NVE-NVA-007': {
    message: 'the NVA allows at most {limit} {what}',
    hint: 'Raise the limit at the NVA, or spread the load.',
    exit: 1,
  },
  'NVE-NVA-008': {
    message: 'without TLS the NVA does not listen on {address}: {reason}',
    hint: 'Listen with TLS (tls:ADDRESS:PORT), on 127.0.0.1, on a Unix socket, or in a network namespace of its own (ip netns exec NAME splitnve nva ...).',
    exit: 78,
  },
  'NVE-NVA-009': {
    message: 'the {what} {value} is already used by VN {other}',
    hint: 'Every VN has a name, a VN id and a VNI of its own.',
    exit: 1,
  },
  'NVE-NVA-010': {
    message: 'encapsulation {encap} is not registered for NVE {nve}',
    hint: 'Add it to the encaps of this NVE at the NVA, or take it out of the [[underlay]] of the agent.',
    exit: 1,
  },

  // ECP
  'NVE-ECP-001': {
    message: '{peer} did not acknowledge ECP PDU {sequence}, sent {times} times',
    hint: 'See whether the peer runs (lldpad, splitnve tnve), and whether a bridge between drops ethertype 0x8940.',
    exit: 75,
    retryable: true,
  },
  'NVE-ECP-002': {
    message: 'ECP towards {peer} was reset ({reason}) before the PDU was acknowledged',
    hint: 'Nothing to do: the association is made again when the link is back.',
    exit: 75,
    retryable: true,
  },
  'NVE-ECP-003': {
    message: 'ECP towards {peer} has {limit} PDUs waiting, the limit',
    hint: 'The peer acknowledges too slowly: let both sides use a smaller RTE, or wait.',
    exit: 75,
    retryable: true,
  },
  'NVE-ECP-004': {
    message: 'no room for ECP peer {peer}: {limit} peers are busy',
    hint: 'Raise the limit of peers of the access port, or look for who sends with so many MACs.',
    exit: 1,
    retryable: true,
  },

  // NNP
  'NVE-NNP-001': {
    message: 'the NVA is away ({endpoints}): {reason}',
    hint: 'Check the NVA and the way to it; what is attached goes on forwarding.',
    exit: 69,
    retryable: true,
  },
  'NVE-NNP-002': {
    message: 'the NVA did not answer {what} within {ms} ms',
    hint: 'Check the load of the NVA; ask again.',
    exit: 75,
    retryable: true,
  },
  'NVE-NNP-003': {
    message: 'no common NNP version: the NVE offers {offered}, the NVA has {supported}',
    hint: 'Upgrade the older side.',
    exit: 1,
  },
  'NVE-NNP-004': {
    message: 'NNP {what} is not legal now: {reason}',
    hint: 'The peer breaks docs/nnp.md: compare the versions of both sides.',
    exit: 1,
  },
  'NVE-NNP-005': {
    message: 'nothing was heard from the peer for {ms} ms',
    hint: 'Check the network between NVE and NVA.',
    exit: 69,
    retryable: true,
  },
  'NVE-NNP-006': {
    message: 'the NVE does not read what it subscribed to ({ms} ms)',
    hint: 'It reconnects and goes on where it was; check its load.',
    exit: 69,
    retryable: true,
  },
  'NVE-NNP-007': {
    message: 'another session of NVE {nve} took over',
    hint: 'If it is not a reconnect: two agents use the same nve id.',
    exit: 1,
    retryable: true,
  },
  'NVE-NNP-008': {
    message: 'the NVA at {endpoint} is of an older term ({term}, seen {seen})',
    hint: 'It was replaced and does not know it yet: stop it.',
    exit: 1,
    retryable: true,
  },
  'NVE-NNP-009': {
    message: 'the session ended: {code} {text}',
    hint: 'The peer gave this reason; see its log.',
    exit: 69,
    retryable: true,
  },
  'NVE-NNP-010': {
    message: '{what} was called off',
    hint: 'Ask again if it is still wanted.',
    exit: 69,
    retryable: true,
  },
  'NVE-NNP-011': {
    message: 'VN {vn} has more than {limit} objects',
    hint: 'Split the VN, or give this NVE fewer of its hosts.',
    exit: 1,
  },
  'NVE-NNP-012': {
    message: 'more than {limit} questions of link {link} wait for the NVA',
    hint: 'Ask again later; if it lasts, see what its stations ask for, and the load of the NVA.',
    exit: 75,
    retryable: true,
  },

  'NVE-NNP-013': {
    message: "the NVA does not accept the NVE's certificate: {reason}",
    hint: 'Give the NVE one of the authority that [listen.tls] of the NVA names, that is valid now.',
    exit: 77,
    retryable: true,
  },
  'NVE-NNP-014': {
    message: '{whose} is of {got}, not of {expected}',
    hint: 'Issue one whose subjectAltName has this URI, or correct the name or the address of who should show it.',
    exit: 77,
    retryable: true,
  },

  'NVE-NNP-015': {
    message: 'the NVA at {endpoint} asks to go elsewhere: {code} {text}',
    hint: 'Nothing to do if there is another endpoint; else wait until it is back.',
    exit: 69,
    retryable: true,
  },

  'NVE-NNP-016': {
    message: 'the NVA {nva} goes away: {reason}',
    hint: 'NVEs go to another endpoint of the NVA; one that has none forwards with what it has until the NVA is back.',
    exit: 69,
    retryable: true,
  },

  // ENG, DPDK, EAL: the engine's own codes; native/engine gives the context. One that is not listed here still renders.
  'NVE-ENG-000': { message: 'the engine failed: {reason}', hint: 'Keep the log and report it.', exit: 1 },
  'NVE-ENG-001': {
    message: 'the engine cannot read the {what}: {detail}',
    hint: 'The agent and the native addon are of different versions: run `npm run build`.',
    exit: 1,
  },
  'NVE-ENG-002': {
    message: 'the engine knows no command {op}',
    hint: 'The agent and the native addon are of different versions: run `npm run build`.',
    exit: 1,
  },
  'NVE-ENG-003': {
    message: 'the engine expects {what} {expected}, not {got}',
    hint: 'The agent and the native addon are of different versions, or the request is of an earlier session.',
    exit: 1,
  },
  'NVE-ENG-004': { message: '{object} is named twice in one batch', hint: 'Name it once.', exit: 1 },
  'NVE-ENG-005': { message: 'there is no {object}', hint: 'Make it first, or in the same batch.', exit: 1 },
  'NVE-ENG-006': {
    message: '{object} is in use by {by}',
    hint: 'Delete what uses it first, or in the same batch.',
    exit: 1,
  },
  'NVE-ENG-007': { message: '{field} is {got}, expected {expected}', hint: 'Use a value of that range.', exit: 1 },
  'NVE-ENG-008': {
    message: 'the {table} table is full: it holds {capacity}',
    hint: 'Give the engine a larger table (engine.fdb_capacity), or less to hold.',
    exit: 1,
    retryable: true,
  },
  'NVE-ENG-009': { message: '{what} is taken by {holder}', hint: 'Use another, or delete its holder first.', exit: 1 },
  'NVE-ENG-010': {
    message: 'no underlay address has {remote} on its link',
    hint: 'Give the underlay port an address and prefix that hold the remote NVE; routes are not there yet.',
    exit: 1,
  },
  'NVE-ENG-011': {
    message: '{object} needs an MTU of {needed}, {port} has {mtu}',
    hint: "Lower the VN's MTU, or raise the port's.",
    exit: 1,
  },
  'NVE-ENG-012': {
    message: '{object} exists with another {field}',
    hint: 'Delete it and make it again.',
    exit: 1,
  },
  'NVE-ENG-013': { message: 'the engine is closed', hint: 'Start the program again.', exit: 1 },
  'NVE-ENG-014': { message: 'the frame cannot be injected: {reason}', hint: 'Mend the frame or the port.', exit: 1 },
  'NVE-ENG-015': { message: 'the engine failed: {detail}', hint: 'Keep the log and report it.', exit: 1 },
  'NVE-DPDK-000': { message: 'DPDK failed: {reason}', hint: 'Keep the log and report it.', exit: 1 },
  'NVE-DPDK-001': {
    message: 'no packet buffers: {message}',
    hint: 'Raise engine.memory_mb, or lower engine.mbufs.',
    exit: 1,
  },
  'NVE-DPDK-002': { message: 'the port cannot be opened: {message}', hint: '{remedy}', exit: 1 },
  'NVE-DPDK-003': { message: 'the port cannot be opened: {message}', hint: '{remedy}', exit: 77 },
  'NVE-EAL-000': { message: 'DPDK could not start: {reason}', hint: 'Keep the log and report it.', exit: 1 },
  'NVE-EAL-001': {
    message: 'DPDK cannot start again: {message}',
    hint: 'A process has one engine in its life: start a new process.',
    exit: 1,
  },
  'NVE-EAL-002': { message: 'DPDK cannot start: {message}', hint: 'Mend [engine] in the configuration.', exit: 78 },
  'NVE-EAL-003': {
    message: '{message}',
    hint: 'Install DPDK 22.11 or newer: apt-get install libdpdk-dev (Debian 12, Ubuntu 24.04).',
    exit: 1,
  },
  'NVE-EAL-004': {
    message: 'DPDK cannot start: {message}',
    hint: 'Lower engine.memory_mb, free memory, or reserve huge pages: sysctl vm.nr_hugepages=512.',
    exit: 1,
  },
  'NVE-EAL-005': {
    message: 'DPDK cannot start: {message}',
    hint: 'Run as root, or without huge pages (engine.hugepages = "off").',
    exit: 77,
  },
  'NVE-EAL-006': {
    message: 'DPDK cannot start: {message}',
    hint: 'The lines of its log name the reason; engine.extra_eal is the first suspect.',
    exit: 1,
  },

  'NVE-ENG-900': {
    message: 'the engine answered {at} as {got}, expected {expected}',
    hint: 'The native addon and this program are of different releases: run `npm run build`.',
    exit: 1,
  },

  // SYS
  'NVE-SYS-001': {
    message: 'cannot listen on {address}: {reason}',
    hint: 'Stop what uses the address, or choose another one.',
    exit: 1,
  },
  'NVE-SYS-002': { message: '{what} needs root', hint: 'Run it with sudo.', exit: 77 },
  'NVE-SYS-004': { message: '{command} failed: {reason}', hint: 'Run it by hand to see more.', exit: 1 },
  'NVE-SYS-005': {
    message: 'no permission for {what}: {reason}',
    hint: 'Run it as root, or as the user who started the agent.',
    exit: 77,
  },
  'NVE-SYS-006': { message: 'the native addon is missing: {path}', hint: 'Build it: `npm run build`.', exit: 1 },
  'NVE-SYS-007': {
    message: 'the native addon {path} does not load: {reason}',
    hint: 'Build it on this machine: `npm run build`.',
    exit: 1,
  },
  'NVE-SYS-008': {
    message: 'DPDK is missing or of another version: {reason}',
    hint: 'Install DPDK 22.11 or newer (Debian 12, Ubuntu 24.04: apt-get install libdpdk-dev), then run `npm run build`.',
    exit: 1,
  },
  'NVE-SYS-009': {
    message: 'a server already listens on {socket}',
    hint: 'Stop it first, or choose another socket.',
    exit: 1,
  },
  'NVE-SYS-010': {
    message: '{what} needs programs that are not installed: {programs}',
    hint: 'Install them (Debian, Ubuntu: apt-get install {packages}).',
    exit: 77,
  },
  'NVE-SYS-003': { message: 'internal error: {reason}', hint: 'Keep the log and report it.', exit: 1 },
} as const satisfies Record<`NVE-${ErrorArea}-${string}`, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
