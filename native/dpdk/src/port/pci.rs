//! PCI functions by address: whether there is one, and whether a driver of DPDK could take it, is asked before DPDK is, which answers
//! both with the same "no such device".
use super::PortError;
use std::path::Path;

/// Where the kernel shows them.
pub(super) const DEVICES: &str = "/sys/bus/pci/devices";

/// Drivers of the kernel under which DPDK takes a function: the first three hand it over whole, the others share it (NVIDIA, Microsoft).
const SUITABLE: [&str; 6] = ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core", "hv_netvsc"];

/// Checks an address: domain, bus, device and function, as `lspci -D` writes them.
pub(super) fn check_address(address: &str) -> Result<(), PortError> {
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let parts = || {
        let (domain, rest) = address.split_once(':')?;
        let (bus, rest) = rest.split_once(':')?;
        let (device, function) = rest.split_once('.')?;
        let is_device = is_hex(device, 2) && device < "20";
        let is_function = matches!(function.as_bytes(), [b'0'..=b'7']);
        Some(is_hex(domain, 4) && is_hex(bus, 2) && is_device && is_function)
    };
    match parts() {
        Some(true) => Ok(()),
        _ => Err(PortError::BadPciAddress { address: address.to_owned() }),
    }
}

/// Looks a function up among `devices`.
pub(super) fn check_device(devices: &Path, address: &str) -> Result<(), PortError> {
    let device = devices.join(address);
    if !device.exists() {
        return Err(PortError::NoSuchDevice { address: address.to_owned() });
    }
    let driver = std::fs::read_link(device.join("driver")).ok();
    let driver = driver.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    match driver {
        Some(driver) if SUITABLE.contains(&driver.as_str()) => Ok(()),
        driver => Err(PortError::PciDriver {
            address: address.to_owned(),
            driver: driver.unwrap_or_else(|| "no driver".into()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_full() {
        for address in ["0000:03:00.0", "000a:ff:1f.7"] {
            check_address(address).unwrap();
        }
        for address in ["", "03:00.0", "0000:03:00", "0000:03:20.0", "0000:03:00.8", "0000:0G:00.0", "0000:03:00.0,x=1"]
        {
            assert!(matches!(check_address(address), Err(PortError::BadPciAddress { .. })), "{address:?}");
        }
    }

    #[test]
    fn a_function_that_dpdk_cannot_take_is_told_from_one_that_is_not_there() {
        let folder = std::env::temp_dir().join(format!("dpdk-pci-{}", std::process::id()));
        let with_driver = |address: &str, driver: Option<&str>| {
            let device = folder.join(address);
            std::fs::create_dir_all(&device).unwrap();
            if let Some(driver) = driver {
                std::os::unix::fs::symlink(format!("/sys/bus/pci/drivers/{driver}"), device.join("driver")).unwrap();
            }
        };
        with_driver("0000:03:00.0", Some("vfio-pci"));
        with_driver("0000:03:00.1", Some("ixgbe"));
        with_driver("0000:03:00.2", None);
        let found = |address| check_device(&folder, address).map_err(|error| error.to_string());
        assert_eq!(found("0000:03:00.0"), Ok(()));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            found("0000:03:00.1"),
            error("the PCI device 0000:03:00.1 belongs to ixgbe, which gives nothing to DPDK")
        );
        assert_eq!(
            found("0000:03:00.2"),
            error("the PCI device 0000:03:00.2 belongs to no driver, which gives nothing to DPDK")
        );
        assert_eq!(found("0000:04:00.0"), error("there is no PCI device 0000:04:00.0"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
