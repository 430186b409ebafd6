//! Finds DPDK with pkg-config, compiles the shim against its headers, and generates the bindings from the allow-list below.
//!
//! Everything is generated for the DPDK of the build machine: structure layouts depend on its configuration (cache-line
//! size, IOVA mode), so nothing generated is ever committed.
use std::path::PathBuf;
use std::process::{Command, exit};

/// The oldest DPDK whose interface this crate is written for.
const MIN_VERSION: &str = "22.11";

const FUNCTIONS: &[&str] = &[
    "shim_.*",
    // EAL, log, threads, clock
    "rte_eal_(init|cleanup)",
    "rte_version(|_year|_month)",
    "rte_openlog_stream",
    "rte_mp_disable",
    "rte_thread_(register|unregister)",
    "rte_get_tsc_hz",
    "rte_strerror",
    // Memory
    "rte_pktmbuf_(pool_create|pool_init|init)",
    "rte_mbuf_best_mempool_ops",
    "rte_mempool_(create_empty|set_ops_byname|populate_iova|obj_iter|free)",
    "rte_memzone_(reserve_aligned|free)",
    "rte_eal_iova_mode",
    "rte_pktmbuf_free_bulk",
    "rte_mempool_(avail|in_use)_count",
    // Devices and ports
    "rte_dev_(probe|remove)",
    "rte_eth_dev_(configure|start|stop|close|info_get|get_port_by_name|adjust_nb_rx_tx_desc|get_mtu|set_mtu|socket_id)",
    "rte_eth_[rt]x_queue_setup",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_(enable|disable)",
    "rte_eth_(allmulticast_enable|dev_set_mc_addr_list)",
    "rte_eth_link_get_nowait",
    "rte_eth_dev_set_link_(up|down)",
    "rte_eth_stats_get",
];
const TYPES: &[&str] =
    &["rte_mbuf", "rte_pktmbuf_pool_private", "rte_iova_mode", "rte_eth_(conf|dev_info|link|stats)", "rte_ether_addr"];
const VARS: &[&str] =
    &["RTE_MBUF_F_[RT]X_.*", "SHIM_.*", "RTE_MEMPOOL_F_NO_IOVA_CONTIG", "RTE_PKTMBUF_HEADROOM", "RTE_MAX_ETHPORTS"];
/// Types of which only pointers are used here; their insides would drag in half of DPDK.
const OPAQUE: &[&str] = &["rte_device", "rte_mempool", "rte_mbuf_ext_shared_info", "rte_mempool_memhdr", "rte_memzone"];

/// The libraries that the allow-list above needs; what those need in turn, they name themselves.
const LIBRARIES: &[&str] = &["rte_eal", "rte_mempool", "rte_mbuf", "rte_ethdev"];

fn main() {
    for input in ["build.rs", "src/shim.c", "src/shim.h"] {
        println!("cargo:rerun-if-changed={input}");
    }
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");

    let library = match pkg_config::Config::new().cargo_metadata(false).env_metadata(true).probe("libdpdk") {
        Ok(library) => library,
        Err(pkg_config::Error::Command { cause, .. }) => fail(
            &format!("the program pkg-config cannot be run ({cause})"),
            "install it: apt-get install pkg-config libdpdk-dev",
        ),
        Err(_) => fail(
            &format!("pkg-config does not find libdpdk, the development files of DPDK {MIN_VERSION} or newer"),
            "Debian and Ubuntu: apt-get install libdpdk-dev. For a DPDK of your own: set PKG_CONFIG_PATH to the \
             directory of its libdpdk.pc",
        ),
    };
    if version(&library.version) < version(MIN_VERSION) {
        fail(
            &format!("libdpdk {} was found, but {MIN_VERSION} or newer is needed", library.version),
            "install the package libdpdk-dev of a newer release (Debian 12 and Ubuntu 24.04 have it), or set \
             PKG_CONFIG_PATH to the directory of a newer libdpdk.pc",
        );
    }
    let cflags = cflags();

    let mut shim = cc::Build::new();
    shim.file("src/shim.c").opt_level(3).define("ALLOW_EXPERIMENTAL_API", None);
    cflags.iter().for_each(|flag| {
        shim.flag(flag);
    });
    shim.compile("dpdk_shim");

    bind(&cflags);

    for path in &library.link_paths {
        println!("cargo:rustc-link-search=native={}", path.display());
    }
    for name in LIBRARIES {
        println!("cargo:rustc-link-lib=dylib={name}");
    }
    println!("cargo:version={}", library.version);
}

/// All flags of `pkg-config --cflags`. The pkg-config crate drops those it does not know, and without the forced
/// `-include rte_config.h` and the `-march` the layouts would differ silently from those of the installed libraries.
fn cflags() -> Vec<String> {
    let program = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    match Command::new(&program).args(["--cflags", "libdpdk"]).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
        }
        Ok(output) => fail(&String::from_utf8_lossy(&output.stderr), "reinstall the package libdpdk-dev"),
        Err(error) => fail(&format!("{program} cannot be run ({error})"), "install it: apt-get install pkg-config"),
    }
}

fn bind(cflags: &[String]) {
    let mut builder = bindgen::Builder::default()
        .header("src/shim.h")
        .clang_args(cflags)
        .clang_arg("-DALLOW_EXPERIMENTAL_API")
        .layout_tests(true)
        .generate_comments(false)
        .derive_default(true)
        .prepend_enum_name(false);
    for name in FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in VARS {
        builder = builder.allowlist_var(name);
    }
    for name in OPAQUE {
        builder = builder.opaque_type(name);
    }
    let bindings = builder.generate().unwrap_or_else(|error| {
        fail(
            &format!("the headers of DPDK cannot be translated: {error}"),
            "the generator needs libclang and clang's own headers: apt-get install clang libclang-dev",
        )
    });
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    if let Err(error) = bindings.write_to_file(&out) {
        fail(&format!("{} cannot be written: {error}", out.display()), "free some space, or check the permissions");
    }
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn fail(problem: &str, remedy: &str) -> ! {
    eprintln!("\ndpdk-bindings cannot be built: {problem}\n  remedy: {remedy}\n");
    exit(1)
}
