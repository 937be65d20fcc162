// SPDX-License-Identifier: GPL-2.0

//! Bindings that `cases.sh` does things to: many times, at once, without memory, in mid-transfer.

use crate::{
    coherent::{bytes, pattern},
    pool,
    streaming::nothing,
    Data, Test,
};
use kernel::{
    c_str,
    device::Start,
    dma::{CoherentBox, CoherentHandle, Mapping, Pages, SGTable},
    pci::{self, IrqTypes},
    prelude::*,
    workqueue::{self, run_all},
};

/// Something of each kind. `cases.sh` knows this as the case number 0.
pub(crate) fn plain(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(CoherentBox::from_slice(dma, &[0x5a; 64], GFP_KERNEL)?.share());
    test.kept.more.push(bytes(dma, 5000)?, GFP_KERNEL)?;
    test.kept.handle = Some(CoherentHandle::alloc(dma, 5000, GFP_KERNEL)?);
    if !nothing(dma)? {
        test.kept.mapping = Some(Mapping::new(dma, pattern(5000, 0)?)?);
        let pages = Pages::zeroed(3, GFP_KERNEL)?;
        test.kept.table = Some(SGTable::new(dma, pages, GFP_KERNEL)?);
    }
    let object = pool::object(dma)?;
    test.kept.objects.push(object, GFP_KERNEL)?;
    test.dev.alloc_irq_vectors(1, 1, IrqTypes::all())?;
    Ok(())
}

pub(crate) fn plain_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    dev.request_irq(0, c_str!("dma_cases"), &data.kept.never)?;
    run_all!(workqueue::system_unbound(), 2, GFP_KERNEL, |_| ())?;
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
