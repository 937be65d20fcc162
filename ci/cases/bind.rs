// SPDX-License-Identifier: GPL-2.0

//! Bindings that `cases.sh` does things to: many times, at once, without memory, in mid-transfer.

use crate::{coherent::bytes, Data, Test};
use kernel::{
    device::Start,
    dma::{CoherentBox, CoherentHandle},
    pci,
    prelude::*,
};

/// Something of each kind. `cases.sh` knows this as the case number 0.
pub(crate) fn plain(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(CoherentBox::from_slice(dma, &[0x5a; 64], GFP_KERNEL)?.share());
    test.kept.more.push(bytes(dma, 5000)?, GFP_KERNEL)?;
    test.kept.handle = Some(CoherentHandle::alloc(dma, 5000, GFP_KERNEL)?);
    Ok(())
}

pub(crate) fn plain_start(dev: &pci::Device<Start<'_>>, _data: &Data<'_>) -> Result {
    dev.set_master();
    Ok(())
}

/// Bound while a transfer runs, 100 ms of it. The number 1.
pub(crate) fn busy(test: &mut Test<'_, '_>) -> Result {
    plain(test)
}

pub(crate) fn busy_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    dev.set_master();
    data.edu()?.begin_store(0, data.bytes()?.dma_address(), 64)
}
