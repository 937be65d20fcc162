// SPDX-License-Identifier: GPL-2.0

//! Accesses to registers, of each width.

use crate::{edu, Test};
use kernel::{c_str, pci, prelude::*};

/// The offsets past which nothing of `width` bytes is.
fn outside(size: usize, width: usize) -> [usize; 8] {
    [
        size,
        size + width,
        size - width + 1,
        usize::MAX,
        usize::MAX - width + 1,
        usize::MAX / 2 + 1,
        isize::MAX as usize,
        0usize.wrapping_sub(size),
    ]
}

/// Registers that can be read and written, 32 bits each.
pub(crate) fn edu(test: &mut Test<'_, '_>) -> Result {
    let regs = &edu::Edu::new(test.dev)?.0;
    check!(regs.read32(edu::ID) & 0xffff == 0xed);
    check!(regs.read32_relaxed(edu::ID) & 0xffff == 0xed);
    check!(regs.try_read32(edu::ID)? & 0xffff == 0xed);
    for value in [0, 1, 0x1234_5678, u32::MAX] {
        regs.write32(value, edu::LIVENESS);
        check!(regs.read32(edu::LIVENESS) == !value);
        regs.try_write32(!value, edu::LIVENESS)?;
        check!(regs.try_read32(edu::LIVENESS)? == value);
        regs.write32_relaxed(value, edu::LIVENESS);
        check!(regs.try_read32_relaxed(edu::LIVENESS)? == !value);
        regs.try_write32_relaxed(!value, edu::LIVENESS)?;
        check!(regs.read32_relaxed(edu::LIVENESS) == value);
    }
    Ok(())
}

/// The size is that of the BAR, not the one that the driver expects.
pub(crate) fn edu_range(test: &mut Test<'_, '_>) -> Result {
    let regs = &edu::Edu::new(test.dev)?.0;
    check!(regs.size() == 1 << 20);
    check!(regs.try_read32((1 << 20) - 4).is_ok());
    for offset in outside(1 << 20, 4) {
        check!(regs.try_read32(offset) == Err(EINVAL));
        check!(regs.try_write32(0, offset) == Err(EINVAL));
    }
    Ok(())
}

/// The memory of an `ivshmem` device.
fn shared<'bound>(test: &mut Test<'_, 'bound>) -> Result<pci::Bar<'bound, 0x1000>> {
    check!(test.dev.vendor_id() == 0x1af4);
    test.dev.enable_device()?;
    test.dev.bound().iomap_region_sized(2, c_str!("shared"))
}

macro_rules! each_width {
    ($macro:ident) => {
        $macro!(u8, read8, try_read8, write8, try_write8);
        $macro!(u16, read16, try_read16, write16, try_write16);
        $macro!(u32, read32, try_read32, write32, try_write32);
        $macro!(u64, read64, try_read64, write64, try_write64);
        $macro!(
            u8,
            read8_relaxed,
            try_read8_relaxed,
            write8_relaxed,
            try_write8_relaxed
        );
        $macro!(
            u16,
            read16_relaxed,
            try_read16_relaxed,
            write16_relaxed,
            try_write16_relaxed
        );
        $macro!(
            u32,
            read32_relaxed,
            try_read32_relaxed,
            write32_relaxed,
            try_write32_relaxed
        );
        $macro!(
            u64,
            read64_relaxed,
            try_read64_relaxed,
            write64_relaxed,
            try_write64_relaxed
        );
    };
}

/// Each access does what it says, little-endian, and touches nothing else.
pub(crate) fn memory(test: &mut Test<'_, '_>) -> Result {
    let bar = shared(test)?;
    macro_rules! width {
        ($ty:ty, $read:ident, $try_read:ident, $write:ident, $try_write:ident) => {
            const WIDTH: usize = core::mem::size_of::<$ty>();
            let value = 0x8182_8384_8586_8788_u64 as $ty;
            for way in 0..2 {
                for at in 0..32 {
                    bar.write8(0xff, at);
                }
                if way == 0 {
                    bar.$write(value, 16);
                } else {
                    bar.$try_write(value, 16)?;
                }
                check!(bar.$read(16) == value);
                check!(bar.$try_read(16)? == value);
                for (at, byte) in value.to_le_bytes().into_iter().enumerate() {
                    check!(bar.try_read8(16 + at)? == byte);
                }
                check!(bar.read8(15) == 0xff);
                check!(bar.read8(16 + WIDTH) == 0xff);
            }
        };
    }
    macro_rules! block {
        ($($args:tt)*) => {{ width!($($args)*); }};
    }
    each_width!(block);
    Ok(())
}

/// What is out of range or misaligned is an error, and writes nothing.
pub(crate) fn memory_range(test: &mut Test<'_, '_>) -> Result {
    let bar = shared(test)?;
    let size = bar.size();
    check!(size == 1 << 20);
    for at in size - 16..size {
        bar.try_write8(0x5a, at)?;
    }
    macro_rules! width {
        ($ty:ty, $read:ident, $try_read:ident, $write:ident, $try_write:ident) => {
            let width = core::mem::size_of::<$ty>();
            check!(bar.$try_read(size - width).is_ok());
            for offset in outside(size, width) {
                check!(bar.$try_read(offset) == Err(EINVAL));
                check!(bar.$try_write(0, offset) == Err(EINVAL));
            }
            for offset in 1..width {
                check!(bar.$try_read(offset) == Err(EINVAL));
                check!(bar.$try_write(0, size - 16 + offset) == Err(EINVAL));
            }
        };
    }
    macro_rules! block {
        ($($args:tt)*) => {{ width!($($args)*); }};
    }
    each_width!(block);
    for at in size - 16..size {
        check!(bar.try_read8(at)? == 0x5a);
    }
    Ok(())
}

/// I/O ports, which `pci-testdev` has as its second BAR, are not mapped.
pub(crate) fn ports(test: &mut Test<'_, '_>) -> Result {
    check!(test.dev.vendor_id() == 0x1b36);
    test.dev.enable_device()?;
    check!(test.dev.resource_len(1)? != 0);
    check!(test.dev.bound().iomap_region(1, c_str!("ports")).err() == Some(ENODEV));
    check!(test.dev.bound().iomap_region(0, c_str!("memory")).is_ok());
    Ok(())
}
