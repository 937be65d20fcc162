// SPDX-License-Identifier: GPL-2.0

//! Bindings that `cases.sh` does things to: many times, at once, without memory, in mid-transfer.

use crate::{
    coherent::{bytes, pattern},
    irq, pool,
    streaming::nothing,
    Data, Test,
};
use core::{
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};
use kernel::{
    device::{Core, Start},
    dma::{Coherent, CoherentBox, CoherentHandle, Dma, FromDevice, Mapping},
    irq::Flags,
    pci::{self, IrqTypes},
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
};

/// Something of each kind. `cases.sh` knows this as the case number 0.
pub(crate) fn plain(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.bytes = Some(CoherentBox::from_slice(dma, &[0x5a; 64], GFP_KERNEL)?.share());
    test.kept.more.push(bytes(dma, 5000)?, GFP_KERNEL)?;
    test.kept.handle = Some(CoherentHandle::alloc(dma, 5000, GFP_KERNEL)?);
    if !nothing(dma) {
        test.kept.mapping = Some(Mapping::new(dma, pattern(5000, 0)?)?);
        let pages = Pages::zeroed(3, GFP_KERNEL)?;
        test.kept.table = Some(SGTable::new(dma, pages, GFP_KERNEL)?);
    }
    let object = pool::object(dma)?;
    test.kept.objects.push(object, GFP_KERNEL)?;
    test.kept.vectors = Some(test.dev.alloc_irq_vectors(1, 1, IrqTypes::all())?);
    Ok(())
}

pub(crate) fn plain_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let name = irq::name(dev)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, &name, &data.kept.never)?;
    data.set_master(dev)
}

/// Bound while a transfer runs, 100 ms of it. The number 1.
pub(crate) fn busy(test: &mut Test<'_, '_>) -> Result {
    plain(test)
}

pub(crate) fn busy_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    data.set_master(dev)?;
    data.edu()?.begin_store(0, data.bytes()?.dma_address(), 64)
}

/// A mapping of one device, for another one to take. Its lifetimes are a lie, for this case alone:
/// safe code can't have what is of two devices in one place.
struct Foreign {
    dma: Dma<'static>,
    mapping: Mapping<'static, KVec<u8>, FromDevice>,
    table: SGTable<Owned<'static, Pages, FromDevice>>,
    vector: SGTable<Owned<'static, VVec<u8>, FromDevice>>,
    memory: Coherent<'static, u64>,
    object: pool::Object<'static>,
}

static FOREIGN: AtomicPtr<Foreign> = AtomicPtr::new(null_mut());

fn foreign() -> Option<KBox<Foreign>> {
    let foreign = FOREIGN.swap(null_mut(), Ordering::AcqRel);
    // SAFETY: It came from `KBox::into_raw`, and is not there any more.
    (!foreign.is_null()).then(|| unsafe { KBox::from_raw(foreign) })
}

/// The number 2, of two devices, the first of which is unbound last. The proof that the one can't
/// master the bus is none for the other.
pub(crate) fn other(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma_and_edu()?;
    test.kept.dma = Some(dma);
    let Some(foreign) = foreign() else {
        return Ok(());
    };
    let Foreign {
        dma: other,
        mut mapping,
        table,
        mut vector,
        mut memory,
        mut object,
    } = KBox::into_inner(foreign);
    let before = other.parked().count;
    test.dev.clear_master(|quiesced| -> Result {
        check!(quiesced.is_of(dma) && !quiesced.is_of(other));
        check!(memory.as_mut_quiesced(quiesced).err() == Some(EINVAL));
        check!(object.as_mut_quiesced(quiesced).err() == Some(EINVAL));
        check!(mapping.for_cpu().as_mut_quiesced(quiesced).err() == Some(EINVAL));
        check!(vector.for_cpu().as_mut_quiesced(quiesced).err() == Some(EINVAL));
        check!(mapping.unmap_quiesced(quiesced).err() == Some(EINVAL));
        check!(table.unmap_quiesced(quiesced).err() == Some(EINVAL));
        check!(vector.unmap_quiesced(quiesced).err() == Some(EINVAL));
        Ok(())
    })?;
    drop(memory);
    // They are kept by the device that they are of.
    check!(other.parked().count == before + 4);
    check!(dma.parked().count == 0);
    pr_info!("the proof is refused\n");
    Ok(())
}

pub(crate) fn other_start(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let (dma, _) = data.ready(dev)?;
    if nothing(dma) || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: What is made with it is dropped before the binding ends: by the probe of another
    // device before that, or else by the unbind of this one.
    let dma = unsafe { core::mem::transmute::<Dma<'_>, Dma<'static>>(dma) };
    let foreign = Foreign {
        dma,
        mapping: Mapping::new(dma, pattern(4096, 1)?)?,
        table: SGTable::new(dma, Pages::zeroed(1, GFP_KERNEL)?, GFP_KERNEL)?,
        vector: SGTable::new(dma, VVec::from_elem(0, 4096, GFP_KERNEL)?, GFP_KERNEL)?,
        memory: Coherent::zeroed(dma, GFP_KERNEL)?,
        object: pool::object(dma)?,
    };
    FOREIGN.store(
        KBox::into_raw(KBox::new(foreign, GFP_KERNEL)?),
        Ordering::Release,
    );
    Ok(())
}

/// Whether the first of the devices is bound.
static TAKEN: AtomicBool = AtomicBool::new(false);

pub(crate) fn other_unbind(_dev: &pci::Device<Core<'_>>, _data: &Data<'_>) -> Result {
    TAKEN.store(false, Ordering::Relaxed);
    drop(foreign());
    Ok(())
}
