// SPDX-License-Identifier: GPL-2.0

//! Accesses to registers, of each width.

use crate::{edu, Test};
use kernel::{
    io::{Io, IoBase},
    io_read, io_write, new_spinlock, pci,
    prelude::*,
};

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
    let relaxed = regs.as_view().relaxed();
    check!(relaxed.read32(edu::ID) & 0xffff == 0xed);
    check!(regs.try_read32(edu::ID)? & 0xffff == 0xed);
    for value in [0, 1, 0x1234_5678, u32::MAX] {
        regs.write32(value, edu::LIVENESS);
        check!(regs.read32(edu::LIVENESS) == !value);
        regs.try_write32(!value, edu::LIVENESS)?;
        check!(regs.try_read32(edu::LIVENESS)? == value);
        relaxed.write32(value, edu::LIVENESS);
        check!(relaxed.try_read32(edu::LIVENESS)? == !value);
        relaxed.try_write32(!value, edu::LIVENESS)?;
        check!(relaxed.read32(edu::LIVENESS) == value);
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
    check!(test.dev.vendor_id().as_raw() == 0x1af4);
    test.dev.enable_device_mem()?;
    test.dev.iomap_region_sized(2, c"shared")
}

macro_rules! each_width {
    ($macro:ident) => {
        $macro!(u8, read8, try_read8, write8, try_write8);
        $macro!(u16, read16, try_read16, write16, try_write16);
        $macro!(u32, read32, try_read32, write32, try_write32);
        $macro!(u64, read64, try_read64, write64, try_write64);
    };
}

/// Each access does what it says, little-endian, and touches nothing else.
pub(crate) fn memory(test: &mut Test<'_, '_>) -> Result {
    let bar = shared(test)?;
    let plain = bar.as_view();
    macro_rules! width {
        ($ty:ty, $read:ident, $try_read:ident, $write:ident, $try_write:ident) => {
            const WIDTH: usize = core::mem::size_of::<$ty>();
            let value = 0x8182_8384_8586_8788_u64 as $ty;
            for way in 0..6 {
                for at in 0..32 {
                    bar.write8(0xff, at);
                }
                match way {
                    0 => plain.$write(value, 16),
                    1 => plain.$try_write(value, 16)?,
                    2 => plain.relaxed().$write(value, 16),
                    3 => plain.relaxed().$try_write(value, 16)?,
                    4 => plain.write::<$ty, _>(16, value),
                    _ => plain.try_update::<$ty, _, _>(16, |before| before & value)?,
                }
                check!(plain.$read(16) == value && plain.relaxed().$read(16) == value);
                check!(plain.$try_read(16)? == value && plain.relaxed().$try_read(16)? == value);
                check!(plain.read::<$ty, _>(16) == value);
                for (at, byte) in value.to_le_bytes().into_iter().enumerate() {
                    check!(bar.try_read8(16 + at)? == byte);
                }
                check!(bar.read8(15) == 0xff);
                check!(bar.read8(16 + WIDTH) == 0xff);
            }
        };
    }
    macro_rules! block {
        (u64, $($args:tt)*) => {};
        ($($args:tt)*) => {{ width!($($args)*); }};
    }
    each_width!(block);
    // Of 64 bits, nobody knows when compiling that they are aligned.
    let (value, relaxed) = (0x8182_8384_8586_8788_u64, plain.relaxed());
    for way in 0..3 {
        for at in 0..32 {
            bar.write8(0xff, at);
        }
        match way {
            0 => plain.try_write64(value, 16)?,
            1 => relaxed.try_write64(value, 16)?,
            _ => plain.try_update::<u64, _, _>(16, |before| before & value)?,
        }
        check!(plain.try_read64(16)? == value && relaxed.try_read64(16)? == value);
        for (at, byte) in value.to_le_bytes().into_iter().enumerate() {
            check!(bar.try_read8(16 + at)? == byte);
        }
        check!(bar.read8(15) == 0xff && bar.read8(24) == 0xff);
    }
    Ok(())
}

/// What is out of range or misaligned is an error, and writes nothing.
pub(crate) fn memory_range(test: &mut Test<'_, '_>) -> Result {
    let bar = shared(test)?;
    let relaxed = bar.as_view().relaxed();
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
                check!(relaxed.$try_read(offset) == Err(EINVAL));
                check!(relaxed.$try_write(0, offset) == Err(EINVAL));
            }
            for offset in 1..width {
                check!(bar.$try_read(offset) == Err(EINVAL));
                check!(bar.$try_write(0, size - 16 + offset) == Err(EINVAL));
                check!(relaxed.$try_read(offset) == Err(EINVAL));
                check!(relaxed.$try_write(0, size - 16 + offset) == Err(EINVAL));
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

kernel::dma_struct! {
    /// What a device might have there.
    struct Registers {
        control: u32,
        status: u16,
        bytes: [u8; 2],
        queues: [u64; 3],
    }
}

/// Registers as the fields of a structure, and copies of them.
pub(crate) fn memory_fields(test: &mut Test<'_, '_>) -> Result {
    const BLANK: u64 = 0xeeee_eeee_eeee_eeee;
    let bar = shared(test)?;
    for at in 0..64 {
        bar.write8(0xee, at);
    }
    let regs = bar.as_view().try_cast::<Registers>()?;
    check!(regs.size() == 32);
    check!(bar.as_view().try_cast::<[u8; 1 << 20]>().is_ok());
    check!(bar.as_view().try_cast::<[u8; (1 << 20) + 1]>().err() == Some(EINVAL));
    io_write!(regs, .control, 0x1122_3344);
    io_write!(regs, .status, 0x5566);
    io_write!(regs, .bytes[build: 1], 0x77);
    io_write!(regs, .queues[try: 2], 0x8899_aabb_ccdd_eeff);
    check!(bar.read32(0) == 0x1122_3344 && bar.read16(4) == 0x5566);
    check!(bar.read8(6) == 0xee && bar.read8(7) == 0x77);
    check!(bar.try_read64(24)? == 0x8899_aabb_ccdd_eeff && bar.try_read64(16)? == BLANK);
    check!(bar.try_read64(32)? == BLANK);
    let past = || -> Result<u64> { Ok(io_read!(regs, .queues[try: 3])) };
    check!(past() == Err(ERANGE));
    let value = regs.copy_read();
    check!(value.control == 0x1122_3344 && value.bytes == [0xee, 0x77]);
    check!(value.queues == [BLANK, BLANK, 0x8899_aabb_ccdd_eeff]);
    regs.copy_write(Registers {
        control: 1,
        status: 2,
        ..value
    });
    check!(bar.read32(0) == 1 && bar.read16(4) == 2 && bar.read8(7) == 0x77);
    check!(bar.try_read64(32)? == BLANK);
    Ok(())
}

/// I/O ports, which `pci-testdev` has as its second BAR. The first test there counts how often a byte
/// is written to a port; it names both. The specification is `docs/specs/pci-testdev` of QEMU.
pub(crate) fn port_bar(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    check!(dev.vendor_id().as_raw() == 0x1b36);
    check!(dev.ioport_region(1, c"early").err() == Some(EINVAL));
    dev.enable_device_mem()?;
    check!(dev.ioport_region(0, c"memory").err() == Some(ENODEV));
    for bar in [2, 5, 6, u32::MAX] {
        check!(dev.ioport_region(bar, c"none").err() == Some(EINVAL));
    }
    let size = usize::try_from(dev.resource_len(1)?)?;
    check!(size == 256);
    check!(dev.ioport_region_sized::<257>(1, c"large").err() == Some(EINVAL));

    let ports = dev.ioport_region_sized::<0x10>(1, c"ports")?;
    check!(dev.ioport_region(1, c"again").err() == Some(EBUSY));
    check!(dev.iomap_region(1, c"again").err() == Some(ENODEV));
    check!(ports.size() == size);

    const NAME: &[u8] = b"portio-no-eventfd";
    ports.write8(0, 0);
    for (at, byte) in NAME.iter().enumerate() {
        check!(ports.try_read8(0x10 + at)? == *byte);
    }
    check!(ports.try_read16(0x12)? == u16::from_le_bytes([NAME[2], NAME[3]]));
    check!(ports.try_read32(0x14)? == u32::from_le_bytes([NAME[4], NAME[5], NAME[6], NAME[7]]));

    // A view of the last ports has ends of its own.
    let (offset, data) = (ports.read32(4) as usize, ports.read8(8));
    check!(offset < size && ports.read32(0xc) == 0);
    for _ in 0..3 {
        ports.try_write8(data, offset)?;
    }
    check!(ports.read32(0xc) == 3);
    let view = ports.as_view().try_cast::<[u32; 4]>()?;
    check!(io_read!(view, [build: 3]) == 3);
    check!(io_read!(view, [try: 1]) as usize == offset);
    check!(ports.as_view().try_cast::<[u32; 65]>().err() == Some(EINVAL));
    for (width, far) in [1, 2, 4].map(|width| (width, outside(size, width))) {
        for offset in far {
            check!(width != 1 || ports.try_read8(offset) == Err(EINVAL));
            check!(width != 2 || ports.try_write16(0, offset) == Err(EINVAL));
            check!(width != 4 || ports.try_read32(offset) == Err(EINVAL));
        }
    }

    // The reservation ends with it, and where one may not sleep, with the binding.
    drop(ports);
    let dma = test.dma()?;
    let again = dev.ioport_region(1, c"again")?;
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || dev.ioport_region(1, c"inside").err() == Some(EINVAL));
    drop(again);
    drop(guard);
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || dma.parked().count == 1);
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || dma.parked().bytes == 0);
    Ok(())
}

/// They are not mapped.
pub(crate) fn ports(test: &mut Test<'_, '_>) -> Result {
    check!(test.dev.vendor_id().as_raw() == 0x1b36);
    test.dev.enable_device_mem()?;
    check!(test.dev.resource_len(1)? != 0);
    check!(test.dev.iomap_region(1, c"ports").err() == Some(ENODEV));
    check!(test.dev.iomap_region(0, c"memory").is_ok());
    Ok(())
}
