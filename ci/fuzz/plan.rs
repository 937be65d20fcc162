// SPDX-License-Identifier: GPL-2.0

//! What a binding is to do. User space writes it to the device's configuration space, to bytes that
//! stand for nothing: a module in Rust takes no parameters on this kernel.

use kernel::{io::Io, pci, prelude::*};

/// Where it is, behind all capabilities; `fuzz.sh` knows this, too.
const PLACE: usize = 0x60;
const MAGIC: u32 = 0x7a7a_7566;

/// How many ranges of operations there may be: up to the end of the space.
const RANGES: usize = 34;

/// Allocations may fail.
const FAULTS: u16 = 1 << 0;
/// The device has 32 address lines, not 28.
const WIDE: u16 = 1 << 1;
/// Memory is leaked.
const LEAKS: u16 = 1 << 2;

pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) operations: usize,
    pub(crate) faults: bool,
    pub(crate) wide: bool,
    pub(crate) leaks: bool,
    count: usize,
    ranges: [(u16, u16); RANGES],
}

impl Plan {
    pub(crate) fn new(dev: &pci::Device<kernel::device::Bound>) -> Result<Self> {
        let space = dev.config_space();
        if space.read32(PLACE) != MAGIC {
            // As when the bus finds the device again.
            return Err(ENODEV);
        }
        // It is done once.
        space.write32(0, PLACE);
        let (low, high) = (space.read32(PLACE + 4), space.read32(PLACE + 8));
        let flags = space.read16(PLACE + 14);
        let count = usize::from(space.read16(PLACE + 16)).min(RANGES);
        let mut ranges = [(0, 0); RANGES];
        for (number, range) in ranges.iter_mut().enumerate().take(count) {
            let at = PLACE + 18 + 4 * number;
            *range = (space.try_read16(at)?, space.try_read16(at + 2)?);
        }
        Ok(Self {
            seed: u64::from(low) | (u64::from(high) << 32),
            operations: space.read16(PLACE + 12).into(),
            faults: flags & FAULTS != 0,
            wide: flags & WIDE != 0,
            leaks: flags & LEAKS != 0,
            count,
            ranges,
        })
    }

    /// Whether `probe` fails at its end, for no reason. `fuzz.sh` knows the seeds for which it
    /// does, and those for `start`.
    pub(crate) fn probe_fails(&self) -> bool {
        self.seed % 16 == 6
    }

    /// Whether `start` fails at its end.
    pub(crate) fn start_fails(&self) -> bool {
        self.seed % 16 == 5
    }

    /// Whether an operation is left in: without ranges, each is.
    pub(crate) fn has(&self, number: usize) -> bool {
        let inside = |range: &(u16, u16)| (range.0.into()..range.1.into()).contains(&number);
        self.count == 0 || self.ranges[..self.count].iter().any(inside)
    }
}
