//! The EAL's command line. Nobody outside this file writes one: `rte_eal_init` answers a bad argument with eighty lines on
//! stdout, and `--help` with `exit(0)`.
use super::{EalConfig, EalError};
use std::ffi::CString;

/// Options a user may add, and what their value must look like. Left out on purpose: whatever this crate sets itself (memory,
/// lcores, process type, files), prints, or ends the process.
const ALLOWED: &[(&str, Value)] = &[
    ("--allow", Value::Text),
    ("--base-virtaddr", Value::Number),
    ("--block", Value::Text),
    ("--force-max-simd-bitwidth", Value::OneOf(&["0", "64", "128", "256", "512"])),
    ("--huge-dir", Value::Text),
    ("--iova-mode", Value::OneOf(&["va", "pa"])),
    ("--legacy-mem", Value::None),
    ("--log-level", Value::Text),
    ("--match-allocations", Value::None),
    ("--mbuf-pool-ops-name", Value::Text),
    ("--no-hpet", Value::None),
    ("--no-pci", Value::None),
    ("--socket-limit", Value::Numbers),
    ("--vfio-intr", Value::OneOf(&["legacy", "msi", "msix"])),
    ("--vfio-vf-token", Value::Text),
    ("--vmware-tsc-map", Value::None),
];

/// The names above, for people.
const PASSED: &str = "only --allow, --base-virtaddr, --block, --force-max-simd-bitwidth, --huge-dir, --iova-mode, --legacy-mem, \
--log-level, --match-allocations, --mbuf-pool-ops-name, --no-hpet, --no-pci, --socket-limit, --vfio-intr, --vfio-vf-token and \
--vmware-tsc-map may be passed";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    /// Anything of printable ASCII without spaces.
    Text,
    /// Decimal, or hexadecimal after 0x.
    Number,
    /// Decimal numbers with commas between.
    Numbers,
    OneOf(&'static [&'static str]),
}

impl Value {
    fn accepts(self, text: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Value::None => false,
            Value::Text => !text.is_empty() && text.len() < 256 && text.bytes().all(|byte| byte.is_ascii_graphic()),
            Value::Number => match text.strip_prefix("0x") {
                Some(hex) => !hex.is_empty() && hex.len() <= 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
                None => digits(text),
            },
            Value::Numbers => text.split(',').all(digits),
            Value::OneOf(choices) => choices.contains(&text),
        }
    }
}

/// Accepts `--option=value` and `--option value`.
pub(super) fn check_extra(extra: &[String]) -> Result<(), EalError> {
    let refuse = |argument: &str, reason| Err(EalError::BadArgument { argument: argument.to_owned(), reason });
    let mut words = extra.iter();
    while let Some(word) = words.next() {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let Some(&(_, form)) = ALLOWED.iter().find(|(option, _)| *option == name) else {
            return refuse(word, PASSED);
        };
        match (form, joined) {
            (Value::None, None) => {}
            (Value::None, Some(_)) => return refuse(word, "it takes no value"),
            (_, Some(value)) if form.accepts(value) => {}
            (_, None) if words.next().is_some_and(|value| form.accepts(value)) => {}
            _ => return refuse(word, "its value is missing or not well-formed"),
        }
    }
    Ok(())
}

/// The whole command line.
pub(super) fn argv(config: &EalConfig, hugepages: bool, cpus: &[u16]) -> Vec<CString> {
    let has = |option: &str| config.extra.iter().any(|word| word.split('=').next() == Some(option));
    let mut words: Vec<String> = vec!["dpdk".into()];
    let mut add = |word: &str| words.push(word.to_owned());
    // One lcore that floats over all CPUs given: the pollers are threads of ours, and DPDK must make none.
    add("--lcores");
    add(&format!("0@({})", cpus.iter().map(u16::to_string).collect::<Vec<_>>().join(",")));
    add("-m");
    add(&config.memory_mb.to_string());
    if hugepages {
        // No file anywhere, and one descriptor per list of pages instead of one per page.
        for word in ["--in-memory", "--single-file-segments"] {
            add(word);
        }
    } else {
        // 22.11 refuses --in-memory together with --no-huge.
        for word in ["--no-huge", "--no-shconf"] {
            add(word);
        }
    }
    add("--no-telemetry");
    if !has("--iova-mode") {
        add("--iova-mode=va");
    }
    // An allow-list with a device that cannot be there: PCI is scanned, so that a port can name a device later, but no device
    // is taken. `--no-pci` would make that impossible. An empty name does the same for the auxiliary bus (mlx5 sub-functions).
    if !has("--allow") && !has("--block") && !has("--no-pci") {
        for word in ["-a", "ffff:ff:1f.7", "-a", "auxiliary:"] {
            add(word);
        }
    }
    words.extend(config.extra.iter().cloned());
    words.into_iter().filter_map(|word| CString::new(word).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Result<(), EalError> {
        check_extra(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_list_for_people_is_complete() {
        assert!(ALLOWED.iter().all(|(name, _)| PASSED.contains(name)));
        assert_eq!(PASSED.matches("--").count(), ALLOWED.len());
    }

    #[test]
    fn lets_harmless_options_through() {
        check(&[]).unwrap();
        check(&["--log-level=lib.eal:debug", "--iova-mode", "pa", "--no-pci", "--socket-limit=1024,0"]).unwrap();
        check(&["--base-virtaddr=0x7f0000000000", "--allow", "0000:03:00.0"]).unwrap();
    }

    #[test]
    fn refuses_what_would_end_the_process_print_or_collide() {
        for words in [
            &["--help"][..],
            &["-h"],
            &["--version"],
            &["--lcores=0-3"],
            &["-l", "0"],
            &["-m", "64"],
            &["--vdev=net_null0"],
            &["--proc-type=secondary"],
            &["--"],
            &["stray"],
            &[""],
            &["--iova-mode=dc"],
            &["--iova-mode"],
            &["--iova-mode="],
            &["--no-pci=1"],
            &["--log-level", "a b"],
            &["--base-virtaddr=0x"],
            &["--socket-limit=1,,2"],
        ] {
            assert!(matches!(check(words), Err(EalError::BadArgument { .. })), "{words:?} was accepted");
        }
    }

    #[test]
    fn writes_one_floating_lcore_and_takes_no_device() {
        let config = EalConfig { memory_mb: 128, ..EalConfig::default() };
        let words = |hugepages| {
            let argv = argv(&config, hugepages, &[0, 3]);
            argv.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            words(false),
            "dpdk --lcores 0@(0,3) -m 128 --no-huge --no-shconf --no-telemetry --iova-mode=va -a ffff:ff:1f.7 -a auxiliary:"
        );
        assert!(words(true).contains("-m 128 --in-memory --single-file-segments --no-telemetry"));
    }
}
