// SPDX-License-Identifier: GPL-2.0

//! In which order a binding ends, and what the device can no longer do by then.

use crate::{
    coherent::{bytes, pattern},
    edu::Edu,
    Data, Test,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{device::Start, dma::Coherent, pci, prelude::*};

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

pub(crate) fn drops_remove(_data: &Data<'_>) -> Result {
    step(3)
}

pub(crate) fn never(_data: &Data<'_>) -> Result {
    Err(EIO)
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
    test.kept.first = Some(Step(2));
    test.kept.second = Some(Step(3));
    Ok(())
}

/// Neither is `remove` called then, nor does the driver core do anything before the data is gone.
pub(crate) fn start_fails_start(_dev: &pci::Device<Start<'_>>, _data: &Data<'_>) -> Result {
    step(1)?;
    Err(EBUSY)
}

/// When it is dropped, the device's registers are still there, but it does not reach memory any more.
pub(crate) struct Muted<'bound> {
    edu: Edu<'bound>,
    memory: Coherent<'bound, [u8]>,
}

impl Muted<'_> {
    fn store(&self) -> Result<bool> {
        let expected = pattern(64, 0)?;
        self.memory.copy_from_slice(0, &[0xee; 64])?;
        self.edu.store(0, self.memory.dma_address(), 64)?;
        let mut found = [0; 64];
        self.memory.copy_to_slice(0, &mut found)?;
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
    muted.memory.copy_from_slice(0, &pattern(64, 0)?)?;
    check!(!muted.store()?);
    dev.set_master();
    muted.memory.copy_from_slice(0, &pattern(64, 0)?)?;
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
