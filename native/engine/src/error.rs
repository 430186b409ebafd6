//! Why the engine refuses something: a code, and the values at fault. Texts for people are made where people are.

use core::fmt;
use core::net::IpAddr;

use pipeline::PuntClass;
use serde::{Serialize, Serializer};
use types::{AclId, GroupId, MacAddr, NextHopId, PortId, VapId, VnId};

/// An object of the command interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Object {
    /// A port.
    Port(PortId),
    /// A VN.
    Vn(VnId),
    /// A VAP.
    Vap(VapId),
    /// An underlay address of a port.
    Underlay(PortId, IpAddr),
    /// A next hop.
    NextHop(NextHopId),
    /// A group of next hops.
    Group(GroupId),
    /// An FDB row.
    Row(VnId, MacAddr),
    /// An access control list.
    Acl(AclId),
    /// The rate of a class of punts.
    Police(PuntClass),
    /// The flood list of a VN.
    Flood(VnId),
    /// The permitted sources of a VN.
    Sources(VnId),
    /// A static route, by length and address of its prefix.
    Route((u8, IpAddr)),
    /// The kernel's end of an underlay port.
    Exception(PortId),
    /// The link of a port.
    Link(PortId),
    /// A static neighbour on the link of a port.
    Neighbour(PortId, IpAddr),
    /// An IP-MAC pair of a VN.
    Pair(VnId, IpAddr),
    /// A multicast group that a VN has joined.
    Mcast(VnId, IpAddr),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(id) => write!(f, "port {id}"),
            Self::Vn(id) => write!(f, "vn {id}"),
            Self::Vap(id) => write!(f, "vap {id}"),
            Self::Underlay(port, ip) => write!(f, "underlay address {ip} of port {port}"),
            Self::NextHop(id) => write!(f, "next hop {id}"),
            Self::Group(id) => write!(f, "group {id}"),
            Self::Row(vn, mac) => write!(f, "row {mac} of vn {vn}"),
            Self::Acl(id) => write!(f, "acl {id}"),
            Self::Police(class) => write!(f, "rate of {}", class.name()),
            Self::Flood(vn) => write!(f, "flood list of vn {vn}"),
            Self::Sources(vn) => write!(f, "sources of vn {vn}"),
            Self::Mcast(vn, group) => write!(f, "multicast group {group} of vn {vn}"),
            Self::Pair(vn, ip) => write!(f, "pair {ip} of vn {vn}"),
            Self::Route((length, prefix)) => write!(f, "route {prefix}/{length}"),
            Self::Exception(port) => write!(f, "exception path of port {port}"),
            Self::Link(id) => write!(f, "link of port {id}"),
            Self::Neighbour(port, ip) => write!(f, "static neighbour {ip} of port {port}"),
        }
    }
}

/// Why something was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// The bytes are not what the schema says.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// `batch`, `options`, …
        what: &'static str,
        /// What the decoder says.
        detail: String,
    },
    /// An op that this schema does not have.
    #[error("unknown command {op}")]
    UnknownCommand {
        /// The op.
        op: u64,
    },
    /// A schema, epoch or kind that is not this session's.
    #[error("{what} {got} instead of {expected}")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// What came.
        got: String,
        /// What would be right.
        expected: String,
    },
    /// A batch names an object twice.
    #[error("{object} is named twice in the batch")]
    Duplicate {
        /// The object.
        object: Object,
    },
    /// A command names an object that is not there.
    #[error("there is no {object}")]
    Absent {
        /// The object.
        object: Object,
    },
    /// An object to be deleted is still named.
    #[error("{object} is in use by {by}")]
    InUse {
        /// The object.
        object: Object,
        /// One that names it.
        by: Object,
    },
    /// A number or address that its field does not allow.
    #[error("{field} {got}: expected {expected}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What came.
        got: String,
        /// The rule.
        expected: &'static str,
    },
    /// A table holds all that it can.
    #[error("the {table} table is full: {capacity}")]
    TableFull {
        /// The table.
        table: &'static str,
        /// What it can hold.
        capacity: usize,
    },
    /// Two objects claim the same thing.
    #[error("{what} is taken by {holder}")]
    Taken {
        /// What both claim.
        what: String,
        /// Who has it.
        holder: Object,
    },
    /// No underlay address has this remote on its link, and no route leads to it.
    #[error("no underlay address has {remote} on its link, and no route leads to it")]
    OffLink {
        /// The remote.
        remote: IpAddr,
    },
    /// A VN's frames do not fit a port.
    #[error("{object} needs an MTU of {needed}, {port} has {mtu}")]
    PortMtu {
        /// The VN or VAP.
        object: Object,
        /// The port.
        port: Object,
        /// What is needed.
        needed: u16,
        /// What there is.
        mtu: u16,
    },
    /// An existing object is to change what cannot be changed.
    #[error("{object} exists with another {field}")]
    Immutable {
        /// The object.
        object: Object,
        /// What differs.
        field: &'static str,
    },
    /// The engine is closed, or never opened.
    #[error("the engine is closed")]
    Closed,
    /// A frame that cannot be injected.
    #[error("cannot inject: {reason}")]
    Inject {
        /// Why.
        reason: &'static str,
    },
    /// A defect in the engine itself.
    #[error("internal: {detail}")]
    Internal {
        /// What happened.
        detail: String,
    },
    /// DPDK refused.
    #[error("{message}")]
    Dpdk {
        /// `NVE-DPDK-…` or `NVE-EAL-…`.
        code: &'static str,
        /// What was tried.
        message: String,
        /// Further values, among them a remedy where there is one.
        context: Vec<(&'static str, String)>,
    },
}

impl EngineError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "NVE-ENG-001",
            Self::UnknownCommand { .. } => "NVE-ENG-002",
            Self::Mismatch { .. } => "NVE-ENG-003",
            Self::Duplicate { .. } => "NVE-ENG-004",
            Self::Absent { .. } => "NVE-ENG-005",
            Self::InUse { .. } => "NVE-ENG-006",
            Self::OutOfRange { .. } => "NVE-ENG-007",
            Self::TableFull { .. } => "NVE-ENG-008",
            Self::Taken { .. } => "NVE-ENG-009",
            Self::OffLink { .. } => "NVE-ENG-010",
            Self::PortMtu { .. } => "NVE-ENG-011",
            Self::Immutable { .. } => "NVE-ENG-012",
            Self::Closed => "NVE-ENG-013",
            Self::Inject { .. } => "NVE-ENG-014",
            Self::Internal { .. } => "NVE-ENG-015",
            Self::Dpdk { code, .. } => code,
        }
    }

    /// [`Self::context`] as a JSON object.
    pub fn context_json(&self) -> String {
        serde_json::to_string(&ContextMap(self)).unwrap_or_else(|_| "{}".to_owned())
    }

    /// The values at fault, by name.
    pub fn context(&self) -> Vec<(&'static str, String)> {
        let text = |object: &Object| object.to_string();
        match self {
            Self::Malformed { what, detail } => vec![("what", (*what).into()), ("detail", detail.clone())],
            Self::UnknownCommand { op } => vec![("op", op.to_string())],
            Self::Mismatch { what, got, expected } => {
                vec![("what", (*what).into()), ("got", got.clone()), ("expected", expected.clone())]
            }
            Self::Duplicate { object } | Self::Absent { object } => vec![("object", text(object))],
            Self::InUse { object, by } => vec![("object", text(object)), ("by", text(by))],
            Self::OutOfRange { field, got, expected } => {
                vec![("field", (*field).into()), ("got", got.clone()), ("expected", (*expected).into())]
            }
            Self::TableFull { table, capacity } => vec![("table", (*table).into()), ("capacity", capacity.to_string())],
            Self::Taken { what, holder } => vec![("what", what.clone()), ("holder", text(holder))],
            Self::OffLink { remote } => vec![("remote", remote.to_string())],
            Self::PortMtu { object, port, needed, mtu } => vec![
                ("object", text(object)),
                ("port", text(port)),
                ("needed", needed.to_string()),
                ("mtu", mtu.to_string()),
            ],
            Self::Immutable { object, field } => vec![("object", text(object)), ("field", (*field).into())],
            Self::Closed => vec![],
            Self::Inject { reason } => vec![("reason", (*reason).into())],
            Self::Internal { detail } => vec![("detail", detail.clone())],
            Self::Dpdk { message, context, .. } => {
                let mut all = vec![("message", message.clone())];
                all.extend(context.iter().cloned());
                all
            }
        }
    }
}

/// Serializes a context as a map.
pub struct ContextMap<'a>(pub &'a EngineError);

impl Serialize for ContextMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.context())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_of_its_own_and_names_its_values() {
        let object = Object::Vn(VnId(5));
        let errors = [
            EngineError::Absent { object },
            EngineError::Duplicate { object },
            EngineError::InUse { object, by: Object::Vap(VapId(1)) },
            EngineError::TableFull { table: "fdb", capacity: 3 },
        ];
        let codes: std::collections::HashSet<_> = errors.iter().map(EngineError::code).collect();
        assert_eq!(codes.len(), errors.len());
        assert_eq!(errors[2].to_string(), "vn 5 is in use by vap 1");
        assert_eq!(errors[2].context(), [("object", "vn 5".to_owned()), ("by", "vap 1".to_owned())]);
    }
}
