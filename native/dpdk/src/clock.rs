//! The time-stamp counter, the unit in which pollers are measured.

/// Reads the counter: a few nanoseconds, no system call.
#[inline(always)]
pub fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let count: u64;
        // SAFETY: reads a register that Linux opens to user space.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack)) };
        count
    }
}

/// Ticks of [`tsc`] in a second, as DPDK measured it when the EAL started.
pub fn tsc_hz(_eal: &crate::Eal) -> u64 {
    // SAFETY: reads a variable that the EAL has set.
    unsafe { dpdk_bindings::rte_get_tsc_hz() }
}
