// SPDX-License-Identifier: GPL-2.0

//! What is leaked is leaked, and nothing worse.

use crate::{
    coherent::{bytes, pattern},
    edu::{self, Edu},
    streaming::nothing,
    Data, Test,
};
use core::{
    mem::forget,
    sync::atomic::{AtomicU64, Ordering},
};
use kernel::{
    device::Start,
    dma::{
        Bidirectional, CoherentBox, CoherentHandle, DmaAddress, FromDevice, Mapping, NonCoherent,
        Pool, PoolCoherent, ToDevice,
    },
    io::Io,
    io_project, pci,
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
};

/// `cases.sh` looks for leaks after this, the last time that there are none.
pub(crate) fn nothing_so_far(test: &mut Test<'_, '_>) -> Result {
    and_then(test)
}

/// A set-up that is not finished and not dropped keeps nobody from the next one.
pub(crate) fn setup(test: &mut Test<'_, '_>) -> Result {
    forget(test.setup()?);
    Ok(())
}

/// The next binding can map it again.
pub(crate) fn bar(test: &mut Test<'_, '_>) -> Result {
    let edu = Edu::new(test.dev)?;
    check!(edu.0.read32(edu::ID) & 0xffff == 0xed);
    forget(edu);
    Ok(())
}

/// Where the memory is that was leaked.
static LEAKED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn coherent(test: &mut Test<'_, '_>) -> Result {
    // `bar` leaked one, which is there for us.
    let dma = test.dma_and_edu()?;
    let memory = bytes(dma, 4096)?;
    memory.copy_from_slice(&pattern(4096, 77)?);
    LEAKED.store(memory.dma_address(), Ordering::SeqCst);
    forget(memory);
    Ok(())
}

pub(crate) fn coherent_again(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    for _ in 0..64 {
        let memory = bytes(dma, 4096)?;
        check!(memory.dma_address() != LEAKED.load(Ordering::SeqCst));
        io_project!(memory, [try: ..256]).copy_from_slice(&[0xff; 256]);
        test.kept.more.push(memory, GFP_KERNEL)?;
    }
    test.kept.bytes = Some(bytes(dma, 4096)?);
    Ok(())
}

/// Nobody else got the memory, and the device still reaches it.
pub(crate) fn again_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    let memory = data.bytes()?;
    data.edu()?
        .fetch(LEAKED.load(Ordering::SeqCst) as DmaAddress, 0, 4096)?;
    data.edu()?.store(0, memory.dma_address(), 4096)?;
    let mut found = KVec::from_elem(0, 4096, GFP_KERNEL)?;
    memory.copy_to_slice(&mut found);
    check!(found[..] == pattern(4096, 77)?[..]);
    Ok(())
}

pub(crate) fn boxes(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    forget(CoherentBox::new(dma, 1u64, GFP_KERNEL)?);
    forget(CoherentBox::<[u8]>::zeroed_slice(dma, 5000, GFP_KERNEL)?);
    let _ = KBox::leak(KBox::new(bytes(dma, 1)?, GFP_KERNEL)?);
    Ok(())
}

pub(crate) fn handle(test: &mut Test<'_, '_>) -> Result {
    forget(CoherentHandle::alloc(test.dma()?, 1, GFP_KERNEL)?);
    Ok(())
}

/// All that a driver would keep, in one go.
pub(crate) fn data(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 1)?);
    test.kept.more.push(bytes(dma, 2)?, GFP_KERNEL)?;
    forget(core::mem::take(&mut test.kept));
    Ok(())
}

/// Mappings own their buffers: those are leaked with them.
pub(crate) fn mapping(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    forget(NonCoherent::<u64, ToDevice>::zeroed(dma, GFP_KERNEL)?);
    if nothing(dma) {
        forget(bytes(dma, 1)?);
        return Ok(());
    }
    let buffer = KVec::from_elem(0u8, 4096, GFP_KERNEL)?;
    let mut mapping = Mapping::<_, Bidirectional>::new(dma, buffer)?;
    forget(mapping.for_cpu());
    forget(mapping);
    Ok(())
}

pub(crate) fn table(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    if nothing(dma) {
        forget(bytes(dma, 1)?);
        return Ok(());
    }
    let pages = Pages::zeroed(1, GFP_KERNEL)?;
    let mut table = SGTable::<Owned<'_, _, FromDevice>>::new(dma, pages, GFP_KERNEL)?;
    forget(table.for_cpu());
    forget(table);
    Ok(())
}

/// A pool is leaked with an object of it; `cases.sh` looks for who says so.
pub(crate) fn object(test: &mut Test<'_, '_>) -> Result {
    let pool = Pool::<u64>::new(test.dma()?, c"leaked", 8, 0)?;
    forget(PoolCoherent::zeroed(&pool, GFP_KERNEL)?);
    Ok(())
}

/// After all this, a binding works as any other.
pub(crate) fn and_then(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(bytes(dma, 4096)?);
    Ok(())
}

/// Vectors that are leaked are freed all the same, when the driver is unbound. What lists them is
/// not.
pub(crate) fn vectors(test: &mut Test<'_, '_>) -> Result {
    let dev = test.dev;
    dev.enable_device_mem()?;
    forget(dev.alloc_irq_vectors(1, 1, pci::IrqTypes::default().with(pci::IrqType::Msi))?);
    check!(dev.alloc_irq_vectors(1, 1, pci::IrqTypes::all()).err() == Some(EBUSY));
    Ok(())
}
