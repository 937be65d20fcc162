// SPDX-License-Identifier: GPL-2.0

//! In which order a binding ends, and what the device can no longer do by then.

use crate::{
    coherent::{bytes, pattern},
    edu::Edu,
    Data, Test,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    dma::Coherent,
    io::Io,
    io_project, pci,
    prelude::*,
};

/// How far the binding has come.
static STEP: AtomicUsize = AtomicUsize::new(0);

fn step(number: usize) -> Result {
    let before = STEP.swap(number, Ordering::SeqCst);
    check!(before + 1 == number);
    Ok(())
}

/// Checks when it is dropped that it is its turn.
pub(crate) struct Step(usize);

impl Drop for Step {
    fn drop(&mut self) {
        let _ = step(self.0);
    }
}

pub(crate) fn drops(test: &mut Test<'_, '_>) -> Result {
    STEP.store(0, Ordering::SeqCst);
    test.kept.first = Some(Step(4));
    test.kept.second = Some(Step(5));
    step(1)
}

pub(crate) fn drops_start(_dev: &pci::Device<Start<'_>>, _data: &Data<'_>) -> Result {
    step(2)
}

pub(crate) fn drops_unbind(_dev: &pci::Device<Core<'_>>, _data: &Data<'_>) -> Result {
    step(3)
}

/// All that was there by then is freed.
pub(crate) fn probe_fails(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 5000)?);
    let _local = bytes(dma, 1)?;
    Err(ENODEV)
}

pub(crate) fn init_fails(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 5000)?);
    Ok(())
}

pub(crate) fn start_fails(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 5000)?);
    STEP.store(0, Ordering::SeqCst);
    test.kept.first = Some(Step(3));
    test.kept.second = Some(Step(4));
    Ok(())
}

/// `unbind` is called then, too, and the driver core does nothing before the data is gone.
pub(crate) fn start_fails_start(_dev: &pci::Device<Start<'_>>, _data: &Data<'_>) -> Result {
    step(1)?;
    Err(EBUSY)
}

pub(crate) fn start_fails_unbind(_dev: &pci::Device<Core<'_>>, _data: &Data<'_>) -> Result {
    step(2)
}

/// When it is dropped, the device's registers are still there, but it does not reach memory any more.
pub(crate) struct Muted<'bound> {
    edu: Edu<'bound>,
    memory: Coherent<'bound, [u8]>,
}

impl Muted<'_> {
    fn store(&self) -> Result<bool> {
        let expected = pattern(64, 0)?;
        self.memory.copy_from_slice(&[0xee; 64]);
        self.edu.store(0, self.memory.dma_address(), 64)?;
        let mut found = [0; 64];
        self.memory.copy_to_slice(&mut found);
        check!(found == [0xee; 64] || found[..] == expected[..]);
        Ok(found != [0xee; 64])
    }

    fn dropped(&self) -> Result {
        check!(self.edu.0.read32(crate::edu::ID) & 0xffff == 0xed);
        check!(!self.store()?);
        Ok(())
    }
}

impl Drop for Muted<'_> {
    fn drop(&mut self) {
        if self.dropped().is_err() {
            pr_err!("FAILED: the device while it is muted\n");
        }
        pr_info!("muted: dropped\n");
    }
}

pub(crate) fn muted_when_removed(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    test.kept.muted = Some(Muted {
        edu: Edu::new(test.dev)?,
        memory: bytes(dma, 64)?,
    });
    Ok(())
}

pub(crate) fn muted_when_start_fails(test: &mut Test<'_, '_>) -> Result {
    muted_when_removed(test)
}

pub(crate) fn muted_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let muted = data.kept.muted.as_ref().ok_or(EINVAL)?;
    // Before it may, it does not.
    muted.memory.copy_from_slice(&pattern(64, 0)?);
    check!(!muted.store()?);
    muted.edu.set_master(dev)?;
    muted.memory.copy_from_slice(&pattern(64, 0)?);
    muted.edu.fetch(muted.memory.dma_address(), 0, 64)?;
    check!(muted.store()?);
    Ok(())
}

pub(crate) fn muted_start_fails(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    muted_start(dev, data)?;
    Err(EBUSY)
}

pub(crate) fn not_mastering(test: &mut Test<'_, '_>) -> Result {
    muted_when_removed(test)
}

/// A driver that does not ask for it has a device that does not reach memory, whoever had it before.
pub(crate) fn not_mastering_start(_dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    check!(!data.kept.muted.as_ref().ok_or(EINVAL)?.store()?);
    Ok(())
}

/// On the root bus, nothing can reset the device; it stays as it is, and does not master the bus.
pub(crate) fn reset_refused(test: &mut Test<'_, '_>) -> Result {
    muted_when_removed(test)
}

pub(crate) fn reset_refused_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let muted = data.kept.muted.as_ref().ok_or(EINVAL)?;
    for _ in 0..2 {
        check!(dev.reset_and_set_master() == Err(ENOTTY));
        check!(!muted.store()?);
    }
    muted_start(dev, data)
}

/// In a slot, the bus can be reset. The device masters it then, whatever it was at before.
pub(crate) fn reset(test: &mut Test<'_, '_>) -> Result {
    muted_when_removed(test)
}

pub(crate) fn reset_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let muted = data.kept.muted.as_ref().ok_or(EINVAL)?;
    for _ in 0..2 {
        muted.edu.begin_store(0, muted.memory.dma_address(), 64)?;
        dev.reset_and_set_master()?;
        // The emulator does not reset the device's own registers: what it was at goes on. It began
        // before the reset, during which it could not master the bus, and which takes longer.
        check!(muted.edu.0.read32(crate::edu::ID) & 0xffff == 0xed);
        muted.edu.wait()?;
        muted.memory.copy_from_slice(&pattern(64, 0)?);
        muted.edu.fetch(muted.memory.dma_address(), 0, 64)?;
        check!(muted.store()?);
    }
    Ok(())
}

/// A controller that can be reset by itself, and has lost what it was told before.
pub(crate) fn reset_function(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    test.dev.enable_device_mem()?;
    test.kept.nvme = Some(test.dev.iomap_region_sized(0, c"dma_cases")?);
    test.kept.bytes = Some(bytes(dma, 8192)?);
    Ok(())
}

pub(crate) fn reset_function_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    const CONFIGURATION: usize = 0x14;
    const STATUS: usize = 0x1c;
    const READY: u32 = 1;

    let (nvme, memory) = (data.kept.nvme.as_ref().ok_or(EINVAL)?, data.bytes()?);
    let ready = || -> Result<bool> {
        for _ in 0..100 {
            kernel::time::delay::fsleep(kernel::time::Delta::from_millis(10));
            if nvme.read32(STATUS) & READY != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    };
    // Whoever had it before.
    nvme.write32(0, CONFIGURATION);
    // Two queues of 32 entries, where it finds them, and what sizes those have.
    nvme.write32(0x001f_001f, 0x24);
    nvme.try_write64(memory.dma_address(), 0x28)?;
    nvme.try_write64(io_project!(memory, [try: 4096]).dma_address(), 0x30)?;
    nvme.write32(0x0046_0001, CONFIGURATION);
    check!(ready()?);
    dev.reset_and_set_master()?;
    check!(nvme.read32(STATUS) & READY == 0);
    check!(nvme.read32(CONFIGURATION) & 1 == 0);
    Ok(())
}
