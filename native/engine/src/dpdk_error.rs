//! DPDK's errors under the codes of the command interface.

use dpdk::{EalError, MempoolError, PortError};

use crate::error::EngineError;

/// Why the EAL did not start.
pub fn eal_error(error: EalError) -> EngineError {
    let code = match error {
        EalError::Again { .. } => "NVE-EAL-001",
        EalError::MemoryOutOfRange { .. } | EalError::CpuNotAllowed { .. } | EalError::BadArgument { .. } => {
            "NVE-EAL-002"
        }
        EalError::TooOld { .. } => "NVE-EAL-003",
        EalError::NoMemory { .. } => "NVE-EAL-004",
        EalError::NoPermission { .. } => "NVE-EAL-005",
        EalError::Refused { .. } => "NVE-EAL-006",
    };
    EngineError::Dpdk { code, message: error.to_string(), context: Vec::new() }
}

/// Why there is no pool of packet buffers.
pub fn pool_error(error: MempoolError) -> EngineError {
    EngineError::Dpdk { code: "NVE-DPDK-001", message: error.to_string(), context: Vec::new() }
}

/// Why a port was not opened.
pub fn port_error(error: PortError) -> EngineError {
    let code = match error {
        PortError::NoPermission { .. } => "NVE-DPDK-003",
        _ => "NVE-DPDK-002",
    };
    let remedy = error.remedy().unwrap_or("mend the port's description in the configuration");
    EngineError::Dpdk { code, message: error.to_string(), context: vec![("remedy", remedy.to_owned())] }
}
