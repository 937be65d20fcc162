// SPDX-License-Identifier: GPL-2.0

//! QEMU's `edu` device: copies between memory and 4096 bytes of its own.
//!
//! The drivers of ci/drivers have it, too.

use kernel::{
    c_str,
    device::Core,
    dma::{as_u64, DmaAddress},
    pci,
    prelude::*,
    time::{ktime_ms_delta, msleep, Ktime},
};

pub(crate) const BUFFER: u32 = 0x4_0000;
pub(crate) const ID: usize = 0x00;
pub(crate) const LIVENESS: usize = 0x04;
pub(crate) const STATUS: usize = 0x24;
pub(crate) const RAISE: usize = 0x60;
pub(crate) const ACKNOWLEDGE: usize = 0x64;
const SOURCE: usize = 0x80;
const DESTINATION: usize = 0x88;
const COUNT: usize = 0x90;
const COMMAND: usize = 0x98;
const RUN: u32 = 1;
const FROM_DEVICE: u32 = 2;
const RAISE_WHEN_DONE: u32 = 4;

pub(crate) struct Edu<'bound>(pub(crate) pci::Bar<'bound, 0xa0>);

impl<'bound> Edu<'bound> {
    pub(crate) fn new(dev: &pci::Device<Core<'bound>>) -> Result<Self> {
        dev.enable_device()?;
        Ok(Self(
            dev.bound().iomap_region_sized(0, c_str!("dma_cases"))?,
        ))
    }

    /// Starts a transfer.
    fn command(&self, from: u32, to: u32, len: usize, command: u32) -> Result {
        self.0.write32(from, SOURCE);
        self.0.write32(to, DESTINATION);
        self.0.write32(u32::try_from(len)?, COUNT);
        self.0.write32(RUN | command, COMMAND);
        Ok(())
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> Result {
        let start = Ktime::ktime_get();
        while self.0.read32(COMMAND) & RUN != 0 {
            if ktime_ms_delta(Ktime::ktime_get(), start) > crate::TIMEOUT {
                return Err(ETIMEDOUT);
            }
            msleep(10);
        }
        Ok(())
    }

    /// Has the device fetch memory to `at` in its own.
    pub(crate) fn fetch(&self, memory: DmaAddress, at: u32, len: usize) -> Result {
        self.command(u32::try_from(as_u64(memory))?, BUFFER + at, len, 0)?;
        self.wait()
    }

    /// Has the device store what is at `at` in its own memory.
    pub(crate) fn store(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.begin_store(at, memory, len)?;
        self.wait()
    }

    /// As `store`, but does not wait for the end of it.
    pub(crate) fn begin_store(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.command(
            BUFFER + at,
            u32::try_from(as_u64(memory))?,
            len,
            FROM_DEVICE,
        )
    }

    /// As `begin_store`; the device raises an interrupt at the end of it.
    pub(crate) fn begin_store_and_raise(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.command(
            BUFFER + at,
            u32::try_from(as_u64(memory))?,
            len,
            FROM_DEVICE | RAISE_WHEN_DONE,
        )
    }
}
