//! What the EAL is asked for, and the checks that need no DPDK.
use super::{EalError, args};
use crate::cpu;

/// Whether to use huge pages. With them DPDK's memory costs fewer TLB misses, which is a large part of the cost of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hugepages {
    /// If enough of them are reserved and free; else ordinary pages.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// What the EAL is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EalConfig {
    /// Whether to use huge pages.
    pub hugepages: Hugepages,
    /// Memory for packet buffers and drivers, 64 to 1,048,576. On ordinary pages this is all there will be; on huge pages DPDK
    /// takes more when it needs more.
    pub memory_mb: u32,
    /// The CPUs on which DPDK's own helper threads may run; None: those that the calling thread may use. Pollers choose theirs
    /// themselves ([`crate::cpu::restrict_current_thread`]).
    pub cpus: Option<Vec<u16>>,
    /// Further EAL arguments, as on a command line. Only options that cannot end the process or print are let through.
    pub extra: Vec<String>,
}

impl Default for EalConfig {
    fn default() -> Self {
        EalConfig { hugepages: Hugepages::Auto, memory_mb: 256, cpus: None, extra: Vec::new() }
    }
}

const MIN_MEMORY_MB: u32 = 64;
const MAX_MEMORY_MB: u32 = 1 << 20;

impl EalConfig {
    /// Checks everything, and says on which CPUs the EAL runs.
    pub(super) fn check(&self) -> Result<Vec<u16>, EalError> {
        if !(MIN_MEMORY_MB..=MAX_MEMORY_MB).contains(&self.memory_mb) {
            let (min, max) = (MIN_MEMORY_MB, MAX_MEMORY_MB);
            return Err(EalError::MemoryOutOfRange { value: self.memory_mb, min, max });
        }
        args::check_extra(&self.extra)?;
        let allowed = cpu::allowed();
        match &self.cpus {
            Some(cpus) if !cpus.is_empty() => match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
                Some(&cpu) => Err(EalError::CpuNotAllowed { cpu, allowed }),
                None => Ok(cpus.clone()),
            },
            _ => Ok(allowed),
        }
    }
}
