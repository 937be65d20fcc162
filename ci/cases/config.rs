// SPDX-License-Identifier: GPL-2.0

//! Configuration space.

use crate::{Data, Test};
use kernel::{device::Start, io::Io, pci, prelude::*};

pub(crate) const COMMAND: usize = 0x04;
pub(crate) const MASTER: u16 = 1 << 2;
const NO_INTX: u16 = 1 << 10;

/// A number that nobody but software looks at.
const LINE: usize = 0x3c;

pub(crate) fn space(test: &mut Test<'_, '_>) -> Result {
    let config = test.dev.config_space();
    check!((config.read8(0), config.read8(1)) == (0x34, 0x12));
    check!(config.read16(2) == 0x11e8);
    check!(config.read32(0) == 0x11e8_1234);

    let line = config.read8(LINE);
    config.write8(!line, LINE);
    check!(config.read8(LINE) == !line);
    config.try_write8(line, LINE)?;
    check!(config.read8(LINE) == line);

    // It is no PCI Express, and there is nothing behind the end.
    check!(test.dev.config_space_extended().err() == Some(EINVAL));
    check!(config.try_read8(0xff).is_ok());
    check!(config.try_read8(0x100) == Err(EINVAL));
    check!(config.try_read32(0xfe) == Err(EINVAL));
    check!(config.try_read32(0xffc) == Err(EINVAL));
    Ok(())
}

/// What is found begins with its number.
pub(crate) fn capabilities(test: &mut Test<'_, '_>) -> Result {
    const MSI: u8 = 0x05;
    const MSI_X: u8 = 0x11;

    let config = test.dev.config_space();
    let msi = test.dev.find_capability(MSI).ok_or(ENODEV)?;
    check!(msi >= 0x40 && config.try_read8(msi)? == MSI);
    check!(test.dev.find_capability(MSI_X).is_none());
    // It is no PCI Express.
    check!((1..0x100).all(|id| test.dev.find_ext_capability(id).is_none()));
    Ok(())
}

/// Of PCI Express there is more, if the system reaches it.
pub(crate) fn extended(test: &mut Test<'_, '_>) -> Result {
    let config = test.dev.config_space();
    if let Ok(all) = test.dev.config_space_extended() {
        check!(all.read32(0) == config.read32(0));
        check!(all.try_read32(0xffc).is_ok());
        check!(all.try_read8(0x1000) == Err(EINVAL));
        for id in 1..0x100 {
            if let Some(offset) = test.dev.find_ext_capability(id) {
                check!(offset >= 0x100 && all.try_read16(offset)? == id);
            }
        }
    }
    Ok(())
}

/// While mastering is off, nothing turns it on; the rest of a write arrives.
pub(crate) fn master(test: &mut Test<'_, '_>) -> Result {
    let config = test.dev.config_space();
    let command = config.read16(COMMAND);
    check!(command & (MASTER | NO_INTX) == 0);

    config.write8(0xff, COMMAND);
    check!(config.read16(COMMAND) == command);
    config.write16(command | MASTER | NO_INTX, COMMAND);
    check!(config.read16(COMMAND) == command | NO_INTX);
    config.write32(u32::from(command | MASTER), COMMAND);
    check!(config.read16(COMMAND) == command);
    config.try_write16(command | MASTER, COMMAND)?;
    check!(config.read16(COMMAND) == command);

    // In the upper half, and in other registers, it is no such bit.
    let upper = (command >> 8) as u8;
    config.write8(upper | 4, COMMAND + 1);
    check!(config.read16(COMMAND) == command | NO_INTX);
    config.write8(upper, COMMAND + 1);
    check!(config.read16(COMMAND) == command);
    Ok(())
}

/// While it is on, what was read can be written, and it can be turned off.
pub(crate) fn mastering(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let config = dev.config_space();
    let command = config.read16(COMMAND);
    check!(command & MASTER != 0);

    config.write16(command | NO_INTX, COMMAND);
    check!(config.read16(COMMAND) == command | NO_INTX);
    config.write16(command & !MASTER, COMMAND);
    check!(config.read16(COMMAND) == command & !MASTER);
    config.write16(command, COMMAND);
    check!(config.read16(COMMAND) == command & !MASTER);
    Ok(())
}
