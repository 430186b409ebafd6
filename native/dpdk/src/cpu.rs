//! On which CPUs the current thread may run. Nothing here touches another thread.
use crate::Errno;

/// The CPUs that the current thread may use, ascending.
pub fn allowed() -> Vec<u16> {
    let mut set = empty();
    // SAFETY: `set` is a valid cpu_set_t of the size given; 0 means the calling thread.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) } != 0 {
        return vec![0];
    }
    // SAFETY: the index stays below CPU_SETSIZE.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).map(|cpu| cpu as u16).collect()
}

/// Restricts the current thread to `cpus`; threads that it creates later inherit this.
pub fn restrict_current_thread(cpus: &[u16]) -> Result<(), Errno> {
    let mut set = empty();
    for &cpu in cpus.iter().filter(|&&cpu| i32::from(cpu) < libc::CPU_SETSIZE) {
        // SAFETY: the index stays below CPU_SETSIZE.
        unsafe { libc::CPU_SET(cpu.into(), &mut set) };
    }
    // SAFETY: `set` is a valid cpu_set_t of the size given.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

fn empty() -> libc::cpu_set_t {
    // SAFETY: all zeroes is the empty set.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restricts_only_the_current_thread() {
        let before = allowed();
        let first = before[0];
        let inner = std::thread::spawn(move || {
            restrict_current_thread(&[first]).unwrap();
            allowed()
        });
        assert_eq!(inner.join().unwrap(), [first]);
        assert_eq!(allowed(), before);
        assert_eq!(restrict_current_thread(&[]), Err(Errno::new(libc::EINVAL)));
    }
}
