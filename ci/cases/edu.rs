// SPDX-License-Identifier: GPL-2.0

//! QEMU's `edu` device: copies between memory and 4096 bytes of its own.
//!
//! The drivers of ci/drivers have it, too.

use kernel::{
    device::{Core, Start},
    dma::{Coherent, Direction, DmaAddress, Mappable, Mapping, Plain},
    io::{poll::read_poll_timeout, Io},
    pci,
    prelude::*,
    scatterlist::{Owned, SGMemory, SGTable},
    time::Delta,
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
    pub(crate) fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        dev.enable_device_mem()?;
        Ok(Self(dev.iomap_region_sized(0, c"dma_cases")?))
    }

    /// Lets the device master the bus, when it holds no address of before.
    pub(crate) fn set_master(&self, dev: &pci::Device<Start<'_>>) -> Result {
        self.wait()?;
        // SAFETY: The run bit (bit 0 of the register at 0x98) is clear, as was just read, so the
        // device is at rest. It begins a transfer only when that is set again, after the addresses.
        unsafe { dev.set_master() };
        Ok(())
    }

    /// Takes back the buffer of a mapping, when the device is at rest.
    pub(crate) fn unmap<B: Mappable + 'bound, D: Direction>(
        &self,
        mapping: Mapping<'bound, B, D>,
    ) -> Result<B> {
        self.wait()?;
        // SAFETY: The run bit (bit 0 of the register at 0x98) is clear, as was just read, after all
        // that the device was told. What it wrote has arrived before the answer.
        Ok(unsafe { mapping.unmap() })
    }

    /// Takes back the memory of a table, when the device is at rest.
    pub(crate) fn unmap_table<M: SGMemory, D: Direction>(
        &self,
        table: SGTable<Owned<'bound, M, D>>,
    ) -> Result<M> {
        self.wait()?;
        // SAFETY: As in `unmap`: the run bit is clear.
        Ok(unsafe { table.unmap() })
    }

    /// Frees coherent memory, when the device is at rest.
    pub(crate) fn free<T: ?Sized + Plain>(&self, memory: Coherent<'bound, T>) -> Result {
        self.wait()?;
        // SAFETY: As in `unmap`: the run bit is clear.
        unsafe { memory.free() };
        Ok(())
    }

    /// Starts a transfer.
    fn command(&self, from: u32, to: u32, len: usize, command: u32) -> Result {
        self.0.write32(from, SOURCE);
        self.0.write32(to, DESTINATION);
        self.0.write32(u32::try_from(len)?, COUNT);
        self.0.write32(RUN | command, COMMAND);
        Ok(())
    }

    /// Whether there is a transfer.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.read32(COMMAND) & RUN != 0
    }

    /// Waits for its end.
    pub(crate) fn wait(&self) -> Result {
        read_poll_timeout(
            || Ok(self.is_busy()),
            |busy| !busy,
            Delta::from_millis(10),
            Delta::from_millis(crate::TIMEOUT),
        )?;
        Ok(())
    }

    /// Has the device fetch memory to `at` in its own.
    pub(crate) fn fetch(&self, memory: DmaAddress, at: u32, len: usize) -> Result {
        self.command(u32::try_from(memory)?, BUFFER + at, len, 0)?;
        self.wait()
    }

    /// Has the device store what is at `at` in its own memory.
    pub(crate) fn store(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.begin_store(at, memory, len)?;
        self.wait()
    }

    /// As `store`, but does not wait for the end of it.
    pub(crate) fn begin_store(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.command(BUFFER + at, u32::try_from(memory)?, len, FROM_DEVICE)
    }

    /// As `begin_store`; the device raises an interrupt at the end of it.
    pub(crate) fn begin_store_and_raise(&self, at: u32, memory: DmaAddress, len: usize) -> Result {
        self.command(
            BUFFER + at,
            u32::try_from(memory)?,
            len,
            FROM_DEVICE | RAISE_WHEN_DONE,
        )
    }
}
