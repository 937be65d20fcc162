// SPDX-License-Identifier: GPL-2.0

//! PCI devices, their contexts and their BARs.

use crate::{edu, Test};
use kernel::{
    dev_alert, dev_crit, dev_dbg, dev_emerg, dev_err, dev_info, dev_notice, dev_warn, device,
    io::Io, pci, prelude::*, types::ARef,
};

const MIB: usize = 1 << 20;

pub(crate) fn ids(test: &mut Test<'_, '_>) -> Result {
    check!(test.dev.vendor_id() == pci::Vendor::from_raw(0x1234));
    check!(test.dev.device_id() == 0x11e8);
    check!(test.dev.revision_id() == 0x10);
    check!(test.dev.subsystem_vendor_id() == pci::Vendor::REDHAT_QUMRANET.as_raw());
    check!(test.dev.subsystem_device_id() == 0x1100);
    check!(test.dev.pci_class() == pci::Class::OTHERS);
    Ok(())
}

pub(crate) fn contexts<'bound>(test: &mut Test<'_, 'bound>) -> Result {
    let bound: &'bound pci::Device<device::Bound> = test.dev;
    let normal: &pci::Device = bound;
    let core: &'bound device::Device<device::Core<'_>> = test.dev.as_ref();
    let inner: &'bound device::Device<device::Bound> = core;
    let same: &device::Device<device::Bound> = bound.as_ref();
    check!(core::ptr::eq(inner, same));
    check!(normal.device_id() == bound.device_id());
    Ok(())
}

/// References that outlive the binding are to devices of which nothing is known.
pub(crate) fn references(test: &mut Test<'_, '_>) -> Result {
    let normal: &pci::Device = test.dev;
    let one: ARef<pci::Device> = normal.into();
    let two = one.clone();
    drop(one);
    check!(two.vendor_id().as_raw() == 0x1234);
    // A count that is off by a few is not noticed.
    for _ in 0..100 {
        drop(two.clone());
    }
    let inner: ARef<device::Device> = (&*two).into();
    drop(two);
    dev_info!(inner, "still there\n");
    Ok(())
}

/// `cases.sh` looks at the levels.
pub(crate) fn printing(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    dev_emerg!(dev, "at level {}\n", 0);
    dev_alert!(dev, "at level {}\n", 1);
    dev_crit!(dev, "at level {}\n", 2);
    dev_err!(dev, "at level {}\n", 3);
    dev_warn!(dev, "at level {}\n", 4);
    dev_notice!(dev, "at level {}\n", 5);
    dev_info!(dev, "at level {}\n", 6);
    dev_dbg!(dev, "at level {}\n", 7);
    Ok(())
}

pub(crate) fn resources(test: &mut Test<'_, '_>) -> Result {
    check!(test.dev.resource_len(0)? == MIB as _);
    for bar in 1..6 {
        check!(test.dev.resource_len(bar)? == 0);
    }
    for bar in [6, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        check!(test.dev.resource_len(bar) == Err(EINVAL));
    }
    Ok(())
}

pub(crate) fn enable(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    test.dev.enable_device_mem()
}

pub(crate) fn bar_not_enabled(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    check!(dev.iomap_region(0, c"early").err() == Some(EINVAL));
    check!(dev.iomap_region_sized::<4>(0, c"early").err() == Some(EINVAL));
    test.dev.enable_device_mem()?;
    check!(dev.iomap_region(0, c"in time").is_ok());
    Ok(())
}

pub(crate) fn bar_missing(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let dev = test.dev;
    for bar in [1, 2, 3, 4, 5, 6, 7, 0x8000_0000, u32::MAX] {
        check!(dev.iomap_region(bar, c"none").err() == Some(EINVAL));
    }
    Ok(())
}

/// A BAR that is too small is not kept reserved.
pub(crate) fn bar_size(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let dev = test.dev;
    check!(dev.iomap_region_sized::<{ MIB + 1 }>(0, c"large").err() == Some(EINVAL));
    check!(dev.iomap_region_sized::<{ usize::MAX }>(0, c"large").err() == Some(EINVAL));
    check!(dev.iomap_region_sized::<MIB>(0, c"all")?.size() == MIB);
    check!(dev.iomap_region_sized::<4>(0, c"little")?.size() == MIB);
    check!(dev.iomap_region_sized::<0>(0, c"nothing")?.size() == MIB);
    check!(dev.iomap_region(0, c"any")?.size() == MIB);
    Ok(())
}

pub(crate) fn bar_twice(test: &mut Test<'_, '_>) -> Result {
    test.dev.enable_device_mem()?;
    let dev = test.dev;
    let bar = dev.iomap_region(0, c"first")?;
    check!(dev.iomap_region(0, c"second").err() == Some(EBUSY));
    check!(bar.try_read32(edu::ID)? & 0xffff == 0xed);
    drop(bar);
    check!(dev.iomap_region(0, c"third")?.try_read32(edu::ID)? & 0xffff == 0xed);
    Ok(())
}

/// The BAR can be used for as long as the data exists.
pub(crate) fn bar_read(test: &mut Test<'_, '_>) -> Result {
    let edu = edu::Edu::new(test.dev)?;
    check!(edu.0.read32(edu::ID) & 0xffff == 0xed);
    check!(edu.0.size() == MIB);
    test.kept.edu = Some(edu);
    Ok(())
}
