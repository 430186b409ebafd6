//! Whether an XDP program can be attached to an interface: tried with the smallest one there is.
use super::{owned, raw};
use crate::Errno;
use std::os::fd::OwnedFd;

const BPF_PROG_LOAD: i64 = 5;
const BPF_LINK_CREATE: i64 = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;

/// Attaches a program that passes every frame on to the kernel, and detaches it. Frames in flight notice nothing.
///
/// A program that is there already is no error: it may be the driver's own from a process that was killed, which the driver
/// takes over.
pub(super) fn try_attach(index: u32) -> Result<(), Errno> {
    let program = load()?;
    match link(&program, index) {
        // Dropping the link detaches the program.
        Ok(_link) => Ok(()),
        Err(errno) if matches!(errno.get(), libc::EBUSY | libc::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The head of `union bpf_attr` for BPF_PROG_LOAD (linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    if_index: u32,
    expected_attach_type: u32,
}

fn load() -> Result<OwnedFd, Errno> {
    // r0 = XDP_PASS (2); exit
    let instructions: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];
    let license = c"GPL";
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_XDP,
        instruction_count: 2,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        name: *b"probe\0\0\0\0\0\0\0\0\0\0\0",
        expected_attach_type: BPF_XDP,
        ..LoadAttributes::default()
    };
    // SAFETY: the attributes and what they point to live through the call, which copies them.
    owned(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &attributes, size_of_val(&attributes)) })
}

/// The head of `union bpf_attr` for BPF_LINK_CREATE.
#[repr(C)]
struct LinkAttributes {
    program: u32,
    target_if_index: u32,
    attach_type: u32,
    flags: u32,
}

fn link(program: &OwnedFd, index: u32) -> Result<OwnedFd, Errno> {
    let attributes =
        LinkAttributes { program: raw(program) as u32, target_if_index: index, attach_type: BPF_XDP, flags: 0 };
    // SAFETY: as above.
    owned(unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_CREATE, &attributes, size_of_val(&attributes)) })
}
